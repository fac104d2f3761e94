import Tensors

/// Writes a topology as a file that people can read and save: the keys of one that was read, with the stages of a
/// placement.
public enum TopologyText {
  /// - Parameters:
  ///   - topology: whose model, settings and nodes are written.
  ///   - placement: over the nodes of `topology`, in its order.
  static func write(_ topology: Topology, _ placement: Placement, _ facts: ModelFacts) -> String {
    var lines = ["{"]
    if let schema = topology.schema { lines.append("  \"$schema\": \(jsonString(schema)),") }
    lines.append("  \"model\": \(jsonString(topology.model.value)),")
    if let context = topology.context { lines.append("  \"context\": \(context.value),") }
    lines.append("  \"sequences\": \(topology.sequences.value),")
    lines.append("  \"kv\": \(jsonString(topology.keyValueType.value.name)),")
    lines.append("  \"combine\": \(jsonString(topology.combine.value.name)),")
    lines.append("  \"nodes\": {")
    lines += separated(topology.nodes.map(node))
    lines += ["  },", "  \"stages\": ["]
    lines += separated(inFileOrder(placement.stages, topology).map { stage($0, placement, facts) })
    lines += ["  ]", "}"]
    return lines.joined(separator: "\n") + "\n"
  }

  /// A string of JSON: in quotes, whole, with the escapes of RFC 8259. Not for messages, which `quoted` is for.
  public static func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func separated(_ members: [String]) -> [String] {
    members.enumerated().map { "    \($1)\($0 + 1 < members.count ? "," : "")" }
  }

  /// `"cove": { "address": "local", "threads": 1, "memory": "512MB" }`
  private static func node(_ node: TopologyNode) -> String {
    var members = ["\"address\": \(jsonString(node.address.description))"]
    if let threads = node.threads { members.append("\"threads\": \(threads.value)") }
    if let memory = node.memoryBytes { members.append("\"memory\": \"\(ByteCountText.exact(memory.value))\"") }
    if let advertise = node.advertise { members.append("\"advertise\": \(jsonString(advertise))") }
    return "\(jsonString(node.name.value.rawValue)): { \(members.joined(separator: ", ")) }"
  }

  /// `{ "layers": "0-2", "host": "reef", "experts": { "reef": "0-3", "cove": "4-15" } }`
  private static func stage(_ stage: StagePlacement, _ placement: Placement, _ facts: ModelFacts) -> String {
    var members = [
      "\"layers\": \"\(stage.layers.text)\"", "\"host\": \(jsonString(placement.name(stage.host).rawValue))",
    ]
    let shares = stage.experts.filter { !$0.experts.isEmpty }
      .map { "\(jsonString(placement.name($0.node).rawValue)): \"\($0.experts)\"" }
    if facts.expertCountMax(stage.layers) > 0 { members.append("\"experts\": { \(shares.joined(separator: ", ")) }") }
    return "{ \(members.joined(separator: ", ")) }"
  }

  private static func inFileOrder(_ stages: [StagePlacement], _ topology: Topology) -> [StagePlacement] {
    let places = stages.map { stage in
      topology.stages.firstIndex { $0.layers.value.contains(stage.layers.lowerBound) } ?? .max
    }
    return stages.indices.sorted { (places[$0], $0) < (places[$1], $1) }.map { stages[$0] }
  }
}

import Scheduling
import Tensors
import Wire

extension JobSummary {
  /// One line for people: tokens, speed, nodes, stages, bytes and round trips per token.
  public var line: String {
    let total = wire.total
    var parts = ["\(tokens.count) tokens (\(stopReason.rawValue)) after a prompt of \(promptTokens.count)"]
    if let speed = tokensPerSecond { parts.append("\(Self.decimal(speed, 1)) tokens/s") }
    if let speed = promptTokensPerSecond { parts.append("prompt \(Self.decimal(speed, 1)) tokens/s") }
    if let first = timing.firstToken { parts.append("first after \(Self.decimal(first, 2)) s") }
    parts.append(
      "\(nodeCount) \(nodeCount == 1 ? "node" : "nodes"), \(stageCount) \(stageCount == 1 ? "stage" : "stages")")
    let count = max(1, tokens.count)
    let roundTrips = Double(total.roundTrips) / Double(count)
    parts.append(
      "\(Self.bytes(total.bytes)) on the wire (\(Self.bytes(total.bytes / UInt64(count))) and "
        + "\(Self.decimal(roundTrips, 1)) round trips a token)")
    if total.weightBytes > 0 { parts.append("\(Self.bytes(total.weightBytes)) of weights moved") }
    return parts.joined(separator: ", ")
  }

  /// One JSON object on one line.
  public var json: String {
    var object = JSONText()
    object.add("prompt_tokens", numbers: promptTokens.map(\.rawValue))
    object.add("tokens", numbers: tokens.map(\.rawValue))
    object.add("text", text)
    object.add("stop_reason", stopReason.rawValue)
    object.add("seed", raw: String(seed))
    object.add("timing", raw: timingJSON)
    object.add("wire", raw: wireJSON)
    object.add("node_count", raw: String(nodeCount))
    object.add("stage_count", raw: String(stageCount))
    return object.text
  }

  private var timingJSON: String {
    var object = JSONText()
    object.add("queue_seconds", seconds: timing.queue)
    object.add("prefill_seconds", seconds: timing.prefill)
    object.add("decode_seconds", seconds: timing.decode)
    object.add("first_token_seconds", seconds: timing.firstToken)
    object.add("tokens_per_second", seconds: tokensPerSecond)
    object.add("prompt_tokens_per_second", seconds: promptTokensPerSecond)
    return object.text
  }

  private var wireJSON: String {
    var object = JSONText()
    Self.add(wire.total, to: &object)
    var nodes = JSONText()
    for node in wire.nodes {
      var entry = JSONText()
      Self.add(node.counters, to: &entry)
      nodes.add(node.node.rawValue, raw: entry.text)
    }
    object.add("nodes", raw: nodes.text)
    return object.text
  }

  private static func add(_ counters: TrafficCounters, to object: inout JSONText) {
    object.add("bytes", raw: String(counters.bytes))
    object.add("frames", raw: String(counters.frames))
    object.add("round_trips", raw: String(counters.roundTrips))
    object.add("weight_bytes", raw: String(counters.weightBytes))
    object.add("data_bytes", raw: String(counters.dataBytes))
    object.add("data_frames", raw: String(counters.dataFrames))
    object.add("control_bytes", raw: String(counters.controlBytes))
    object.add("control_frames", raw: String(counters.controlFrames))
  }

  /// A number with a fixed number of decimals; 0 for what no clock and no counter can have measured.
  static func decimal(_ value: Double, _ places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    guard value.isFinite, abs(value * scale) < 9e18 else { return "0" }
    let scaled = Int64((value * scale).rounded())
    guard places > 0 else { return String(scaled) }
    let digits = String(scaled.magnitude)
    let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
    return (scaled < 0 ? "-" : "") + padded.dropLast(places) + "." + padded.suffix(places)
  }

  /// Bytes in the decimal unit that reads best.
  static func bytes(_ count: UInt64) -> String {
    switch count {
    case ..<1000: "\(count) B"
    case ..<1_000_000: "\(decimal(Double(count) / 1e3, 1)) kB"
    case ..<1_000_000_000: "\(decimal(Double(count) / 1e6, 1)) MB"
    default: "\(decimal(Double(count) / 1e9, 2)) GB"
    }
  }
}

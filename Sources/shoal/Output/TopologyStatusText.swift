import Cluster
import Foundation
import Tensors
import Wire

/// What a coordinator says of its placement, for people and as JSON.
struct TopologyStatusText: Encodable {
  struct Stage: Encodable {
    let layers: String
    let host: String
    let experts: [String: String]
  }

  struct Node: Encodable {
    let address: String
    let connected: Bool
    let reason: String?
  }

  struct Running: Encodable {
    let nodes: [String]
    let stages: [Stage]
  }

  let epoch: UInt32
  let state: String
  let message: String
  /// What runs; nil when nothing does.
  let placement: Running?
  let nodes: [String: Node]

  init(_ status: TopologyStatus) {
    epoch = status.epoch.rawValue
    state =
      switch status.state {
      case .running: "running"
      case .preparing: "preparing"
      case .refused: "refused"
      }
    message = status.message
    placement = status.placement.map { placement in
      func name(_ node: NodeIndex) -> String { placement.nodes[node.rawValue].rawValue }
      let taking = placement.participants.map(name)
      let stages = placement.stages.map { stage in
        Stage(
          layers: stage.layers.text, host: name(stage.host),
          experts: Dictionary(stage.experts.map { (name($0.node), "\($0.experts)") }) { first, _ in first })
      }
      return Running(nodes: taking, stages: stages)
    }
    nodes = Dictionary(
      status.nodes.map {
        (
          $0.node.rawValue,
          Node(address: $0.address, connected: $0.isConnected, reason: $0.reason.isEmpty ? nil : $0.reason)
        )
      }
    ) { first, _ in first }
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
  }

  var text: String {
    var lines = ["placement \(epoch), \(state)\(message.isEmpty ? "" : ": \(message)")"]
    for stage in placement?.stages ?? [] {
      let experts = stage.experts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      lines.append("  layers \(stage.layers) on \(stage.host); experts: \(experts.joined(separator: ", "))")
    }
    for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
      let state = node.connected ? "connected" : "missing\(node.reason.map { ": \($0)" } ?? "")"
      lines.append("  \(name) (\(node.address.isEmpty ? "address not known yet" : node.address)): \(state)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

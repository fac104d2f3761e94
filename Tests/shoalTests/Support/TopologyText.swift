import Foundation

/// A topology file in the making.
struct TopologyText: Sendable {
  struct Node: Sendable {
    var address = "local"
    var threads: Int?
    var memory: String?
  }

  struct Stage: Sendable, Equatable {
    var layers: String
    var host: String
    var experts: [String: String]
  }

  var model = Workshop.model.path
  var context = 256
  var sequences = 4
  /// A key that may stand there or not.
  var extra: [String: String] = [:]
  var nodes: [String: Node]
  var stages: [Stage]

  /// Local nodes.
  init(_ nodes: [String], _ stages: [Stage]) {
    self.nodes = Dictionary(uniqueKeysWithValues: nodes.map { ($0, Node(threads: 1)) })
    self.stages = stages
  }

  /// Two stages over three nodes, some experts on two of them.
  static let three = TopologyText(
    ["reef", "cove", "sound"],
    [
      Stage(layers: "0-2", host: "reef", experts: ["reef": "0-3", "cove": "4-9", "sound": "10-15"]),
      Stage(layers: "3-5", host: "cove", experts: ["reef": "0-7", "cove": "8-15", "sound": "4-7"]),
    ])

  /// Puts somebody else's workers in the places of those of the local nodes that are named.
  func with(_ addresses: [String: String]) -> TopologyText {
    var copy = self
    for (name, address) in addresses where nodes[name] != nil {
      copy.nodes[name] = Node(address: address, memory: nodes[name]?.memory)
    }
    return copy
  }

  /// Writes it.
  func write(_ name: String) throws -> String {
    var object: [String: Any] = extra
    object["model"] = model
    object["context"] = context
    object["sequences"] = sequences
    object["nodes"] = nodes.mapValues { node -> [String: Any] in
      var fields: [String: Any] = ["address": node.address]
      fields["threads"] = node.threads
      fields["memory"] = node.memory
      return fields
    }
    object["stages"] = stages.map { stage -> [String: Any] in
      ["layers": stage.layers, "host": stage.host, "experts": stage.experts]
    }
    let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
    return try Workshop.file(name, data).path
  }
}

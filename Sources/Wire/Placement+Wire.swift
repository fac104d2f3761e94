import Cluster
import Tensors

extension Placement {
  func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.list(nodes) { $0.string($1.rawValue) }
    writer.list(stages) { $1.write(to: &$0) }
  }

  /// Reads and validates: names present and different, indices in range, layers gapless from 0.
  init(from reader: inout WireReader) throws(WireError) {
    let epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    let nodes = try reader.list("nodes", limit: WireLimits.nodes, elementBytes: 4) { (reader) throws(WireError) in
      NodeID(try reader.string("node name"))
    }
    guard !nodes.isEmpty, !nodes.contains(""), Set(nodes).count == nodes.count else {
      throw reader.bad("the nodes of a placement need names, all different")
    }
    let stages = try reader.list("stages", limit: WireLimits.layers, elementBytes: 16) { (reader) throws(WireError) in
      try StagePlacement(from: &reader, nodeCount: nodes.count)
    }
    var nextLayer = LayerIndex(0)
    for stage in stages {
      guard stage.layers.lowerBound == nextLayer else {
        throw reader.bad("a stage begins at layer \(stage.layers.lowerBound) instead of \(nextLayer)")
      }
      nextLayer = stage.layers.upperBound
    }
    self.init(epoch: epoch, nodes: nodes, stages: stages)
  }
}

extension StagePlacement {
  func write(to writer: inout WireWriter) {
    writer.int(layers.lowerBound.rawValue)
    writer.int(layers.upperBound.rawValue)
    writer.int(host.rawValue)
    writer.list(experts) { writer, holding in
      writer.int(holding.node.rawValue)
      writer.list(holding.experts.ranges) { writer, range in
        writer.int(range.lowerBound)
        writer.int(range.upperBound)
      }
    }
  }

  init(from reader: inout WireReader, nodeCount: Int) throws(WireError) {
    let first = try reader.int("first layer of a stage", in: 0...WireLimits.layers - 1)
    let end = try reader.int("end of a stage's layers", in: first + 1...WireLimits.layers)
    let host = NodeIndex(try reader.int("host of a stage", in: 0...nodeCount - 1))
    let experts = try reader.list(
      "holders of experts", limit: WireLimits.nodes, elementBytes: 8
    ) { (reader) throws(WireError) in
      let node = NodeIndex(try reader.int("holder of experts", in: 0...nodeCount - 1))
      return ExpertHolding(node: node, experts: try ExpertSet(from: &reader))
    }
    self.init(layers: LayerIndex(first)..<LayerIndex(end), host: host, experts: experts)
  }
}

extension ExpertSet {
  /// Reads ranges, which must ascend and leave gaps between them.
  init(from reader: inout WireReader) throws(WireError) {
    var next = 0
    let ranges = try reader.list(
      "ranges of experts", limit: WireLimits.experts, elementBytes: 8
    ) { (reader) throws(WireError) in
      let first = try reader.int("first expert of a range", in: 0...WireLimits.experts - 1)
      guard first >= next else { throw reader.bad("ranges of experts must ascend with gaps", back: 4) }
      let end = try reader.int("end of a range of experts", in: first + 1...WireLimits.experts)
      next = end + 1
      return first..<end
    }
    self.init(ranges: ranges)
  }
}

public import Cluster
public import Tensors

/// How the topology that is wished for relates to the one that runs.
public enum TopologyStateCode: UInt8, Sendable, Hashable, CaseIterable {
  /// What is wished for runs.
  case running = 0
  /// Something else, or nothing, runs while nodes are missing or weights move.
  case preparing = 1
  /// The last edit is wrong; what was wished for before it counts.
  case refused = 2
}

/// One node, as the coordinator sees it.
public struct NodeReport: Sendable, Hashable {
  public let node: NodeID
  /// Empty while it is not known.
  public let address: String
  /// Whether its connection stands.
  public let isConnected: Bool
  /// Why not, or what is wrong; empty where there is nothing to say.
  public let reason: String
  /// Most bytes it may hold, 0 when it has not said.
  public let memoryBytes: Int

  public init(node: NodeID, address: String, isConnected: Bool, reason: String, memoryBytes: Int) {
    self.node = node
    self.address = address
    self.isConnected = isConnected
    self.reason = reason
    self.memoryBytes = memoryBytes
  }

  func write(to writer: inout WireWriter) {
    writer.bool(isConnected)
    writer.long(memoryBytes)
    writer.string(node.rawValue)
    writer.string(address)
    writer.string(reason)
  }

  init(from reader: inout WireReader) throws(WireError) {
    isConnected = try reader.bool("is connected")
    memoryBytes = try reader.long("memory")
    node = NodeID(try reader.string("node name"))
    address = try reader.string("address")
    reason = try reader.string("reason")
  }
}

/// Coordinator to client: what runs, and what is on its way.
public struct TopologyStatus: WireMessage {
  public let request: UInt64
  /// Of the placement that runs; 0 when none does.
  public let epoch: PlacementEpoch
  public let state: TopologyStateCode
  /// What is prepared, waited for or refused; empty when there is nothing to say.
  public let message: String
  /// What runs, nodes that are gone left out; nil when nothing does.
  public let placement: Placement?
  public let nodes: [NodeReport]

  public init(
    request: UInt64, epoch: PlacementEpoch, state: TopologyStateCode, message: String, placement: Placement?,
    nodes: [NodeReport]
  ) {
    self.request = request
    self.epoch = epoch
    self.state = state
    self.message = message
    self.placement = placement
    self.nodes = nodes
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.u32(epoch.rawValue)
    writer.u8(state.rawValue)
    writer.bool(placement != nil)
    writer.zeros(2)
    writer.string(message)
    placement?.write(to: &writer)
    writer.list(nodes) { $1.write(to: &$0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    state = try reader.enumeration("state")
    let isRunning = try reader.bool("placement is there")
    try reader.zeros(2, "reserved")
    message = try reader.string("message")
    placement = isRunning ? try Placement(from: &reader) : nil
    guard epoch == placement?.epoch ?? PlacementEpoch(rawValue: 0) else {
      throw reader.bad("the epoch \(epoch) is not that of the placement")
    }
    nodes = try reader.list("nodes", limit: WireLimits.nodes, elementBytes: 21) { (reader) throws(WireError) in
      try NodeReport(from: &reader)
    }
  }
}

/// Coordinator to client: how much the experts are used, and how fast the nodes are.
public struct LoadReport: WireMessage {
  /// One layer.
  public struct Layer: Sendable, Hashable {
    public let layer: LayerIndex
    /// For each expert its share of the layer's choices, old ones counting less; none is negative.
    public let weights: [Float]

    public init(layer: LayerIndex, weights: [Float]) {
      self.layer = layer
      self.weights = weights
    }
  }

  public let request: UInt64
  public let layers: [Layer]
  public let speeds: [ExpertUseReport.Speed]
  public let nodes: [NodeReport]

  public init(request: UInt64, layers: [Layer], speeds: [ExpertUseReport.Speed], nodes: [NodeReport]) {
    self.request = request
    self.layers = layers
    self.speeds = speeds
    self.nodes = nodes
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.list(layers) { writer, layer in
      writer.int(layer.layer.rawValue)
      writer.list(layer.weights) { $0.float($1) }
    }
    writer.list(speeds) { $1.write(to: &$0) }
    writer.list(nodes) { $1.write(to: &$0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    layers = try reader.list("layers", limit: WireLimits.layers, elementBytes: 8) { (reader) throws(WireError) in
      let layer = LayerIndex(try reader.int("layer", in: 0...WireLimits.layers - 1))
      let weights = try reader.list("experts", limit: WireLimits.experts, elementBytes: 4) {
        (reader) throws(WireError) in
        let weight = try reader.finiteFloat("use of an expert")
        guard weight.sign == .plus else { throw reader.bad("the use of an expert is negative", back: 4) }
        return weight
      }
      return Layer(layer: layer, weights: weights)
    }
    speeds = try reader.list("speeds", limit: WireLimits.nodes, elementBytes: 12) { (reader) throws(WireError) in
      try ExpertUseReport.Speed(from: &reader)
    }
    nodes = try reader.list("nodes", limit: WireLimits.nodes, elementBytes: 21) { (reader) throws(WireError) in
      try NodeReport(from: &reader)
    }
  }
}

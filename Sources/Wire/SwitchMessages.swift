public import Cluster
public import Tensors

/// Coordinator to worker: switch to a placement that was prepared.
public struct Activate: WireMessage {
  public let epoch: PlacementEpoch
  /// Whether keys and values move as `Prepare.moves` says; if not, whoever gets a layer begins without.
  public let movesKeyValues: Bool

  public init(epoch: PlacementEpoch, movesKeyValues: Bool) {
    self.epoch = epoch
    self.movesKeyValues = movesKeyValues
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.bool(movesKeyValues)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    movesKeyValues = try reader.bool("keys and values move")
  }
}

/// Worker to coordinator: the placement is in force here; and once more from a node that keys and values moved to, when
/// they are there.
public struct Activated: WireMessage {
  public let epoch: PlacementEpoch
  /// False when keys and values that were to move here are lost: all have to be computed anew.
  public let hasKeyValues: Bool

  public init(epoch: PlacementEpoch, hasKeyValues: Bool) {
    self.epoch = epoch
    self.hasKeyValues = hasKeyValues
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.bool(hasKeyValues)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    hasKeyValues = try reader.bool("has keys and values")
  }
}

/// Names a placement, from coordinator to worker: in `release` the one that goes on where it runs (all else
/// ends, and its memory goes back; 0 for none), in `moveKeyValues` the one that all have switched to (send what is to move).
public struct EpochNotice: WireMessage {
  public let epoch: PlacementEpoch

  public init(epoch: PlacementEpoch) { self.epoch = epoch }

  public func write(to writer: inout WireWriter) { writer.u32(epoch.rawValue) }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
  }
}

/// Worker to coordinator: a node of the placement that is being prepared cannot be reached; it is tried further.
public struct PeerUnreachable: WireMessage {
  public let epoch: PlacementEpoch
  public let node: NodeIndex
  public let sentence: String

  public init(epoch: PlacementEpoch, node: NodeIndex, sentence: String) {
    self.epoch = epoch
    self.node = node
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.int(node.rawValue)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    node = NodeIndex(try reader.int("node", in: 0...WireLimits.nodes))
    sentence = try reader.string("sentence")
  }
}

/// Coordinator to worker: a node of the running placement is gone; its rows go to replicas.
public struct NodeLost: WireMessage {
  public let epoch: PlacementEpoch
  public let node: NodeIndex

  public init(epoch: PlacementEpoch, node: NodeIndex) {
    self.epoch = epoch
    self.node = node
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.int(node.rawValue)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    node = NodeIndex(try reader.int("node", in: 0...WireLimits.nodes))
  }
}

/// Worker to coordinator: how often the routers of its layers chose each expert, and how fast nodes answer it.
public struct ExpertUseReport: WireMessage {
  /// One layer.
  public struct Layer: Sendable, Hashable {
    public let layer: LayerIndex
    /// For each expert the choices since the worker began; at most `WireLimits.byteCount`.
    public let counts: [UInt64]

    public init(layer: LayerIndex, counts: [UInt64]) {
      self.layer = layer
      self.counts = counts
    }
  }

  /// How one node keeps up.
  public struct Speed: Sendable, Hashable {
    public let node: NodeID
    /// Nanoseconds that it takes for one row of one expert, as its hosts measure it.
    public let rowNanoseconds: UInt64

    public init(node: NodeID, rowNanoseconds: UInt64) {
      self.node = node
      self.rowNanoseconds = rowNanoseconds
    }

    func write(to writer: inout WireWriter) {
      writer.u64(min(rowNanoseconds, UInt64(WireLimits.byteCount)))
      writer.string(node.rawValue)
    }

    init(from reader: inout WireReader) throws(WireError) {
      rowNanoseconds = UInt64(try reader.long("time of a row"))
      node = NodeID(try reader.string("node name"))
    }
  }

  public let layers: [Layer]
  public let speeds: [Speed]

  public init(layers: [Layer], speeds: [Speed]) {
    self.layers = layers
    self.speeds = speeds
  }

  public func write(to writer: inout WireWriter) {
    writer.list(layers) { writer, layer in
      writer.int(layer.layer.rawValue)
      writer.list(layer.counts) { $0.u64(min($1, UInt64(WireLimits.byteCount))) }
    }
    writer.list(speeds) { $1.write(to: &$0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    layers = try reader.list("layers", limit: WireLimits.layers, elementBytes: 8) { (reader) throws(WireError) in
      let layer = LayerIndex(try reader.int("layer", in: 0...WireLimits.layers - 1))
      let counts = try reader.list("experts", limit: WireLimits.experts, elementBytes: 8) {
        (reader) throws(WireError) in UInt64(try reader.long("choices"))
      }
      return Layer(layer: layer, counts: counts)
    }
    speeds = try reader.list("speeds", limit: WireLimits.nodes, elementBytes: 12) { (reader) throws(WireError) in
      try Speed(from: &reader)
    }
  }
}

public import Cluster
public import ModelSpec
public import Tensors

/// One piece of weights a node must have.
public struct PieceDescription: Sendable, Hashable {
  public let piece: PieceID
  public let byteCount: Int
  /// SHA-256 of the piece's bytes.
  public let digest: Digest
  /// Another node that has it in memory and can be asked for it; nil when none is known.
  public let holder: NodeIndex?

  public init(piece: PieceID, byteCount: Int, digest: Digest, holder: NodeIndex? = nil) {
    self.piece = piece
    self.byteCount = byteCount
    self.digest = digest
    self.holder = holder
  }

  /// The same piece, with another node to ask for it.
  public func with(holder: NodeIndex?) -> PieceDescription {
    PieceDescription(piece: piece, byteCount: byteCount, digest: digest, holder: holder)
  }

  /// Bytes of a piece in a message.
  static let wireBytes = PieceID.wireBytes + 8 + Digest.byteCount + 4

  func write(to writer: inout WireWriter) {
    piece.write(to: &writer)
    writer.long(byteCount)
    digest.write(to: &writer)
    writer.int(holder.map { $0.rawValue + 1 } ?? 0)
  }

  init(from reader: inout WireReader) throws(WireError) {
    piece = try PieceID(from: &reader)
    byteCount = try reader.long("size of a piece")
    digest = try Digest(from: &reader)
    let number = try reader.int("holder of a piece", in: 0...WireLimits.nodes)
    holder = number == 0 ? nil : NodeIndex(number - 1)
  }
}

/// Layers whose keys and values go from one host to another when a placement is switched to.
public struct KeyValueMove: Sendable, Hashable {
  public let layers: Range<LayerIndex>
  /// The host so far.
  public let source: NodeIndex
  /// The host to come.
  public let target: NodeIndex

  public init(layers: Range<LayerIndex>, source: NodeIndex, target: NodeIndex) {
    self.layers = layers
    self.source = source
    self.target = target
  }

  func write(to writer: inout WireWriter) {
    writer.int(layers.lowerBound.rawValue)
    writer.int(layers.upperBound.rawValue)
    writer.int(source.rawValue)
    writer.int(target.rawValue)
  }

  init(from reader: inout WireReader) throws(WireError) {
    let first = try reader.int("first layer that moves", in: 0...WireLimits.layers - 1)
    let end = try reader.int("end of the layers that move", in: first + 1...WireLimits.layers)
    layers = LayerIndex(first)..<LayerIndex(end)
    source = NodeIndex(try reader.int("host so far", in: 0...WireLimits.nodes))
    target = NodeIndex(try reader.int("host to come", in: 0...WireLimits.nodes))
    guard source != target else { throw reader.bad("keys and values move from a node to itself", back: 8) }
  }
}

/// Coordinator to worker: get ready for a placement, while the running one goes on.
public struct Prepare: WireMessage {
  public let model: Digest
  /// SHA-256 of the `.header` piece.
  public let headerDigest: Digest
  public let headerByteCount: Int
  public let kvType: KVType
  public let combine: CombineMode
  /// Most positions of a sequence.
  public let context: Int
  /// Most sequences with KV at a time.
  public let sequences: Int
  /// Most rows of one pass.
  public let subBatchRows: Int
  /// Which node of the placement the receiver is.
  public let node: NodeIndex
  public let placement: Placement
  /// Where each node listens, in the order of `placement.nodes`; empty text for one that is not dialled.
  public let addresses: [String]
  /// The receiver's own pieces.
  public let pieces: [PieceDescription]
  /// Layers whose keys and values the receiver sends or gets when it switches.
  public let moves: [KeyValueMove]

  public init(
    model: Digest, headerDigest: Digest, headerByteCount: Int, kvType: KVType, combine: CombineMode, context: Int,
    sequences: Int, subBatchRows: Int, node: NodeIndex, placement: Placement, addresses: [String],
    pieces: [PieceDescription], moves: [KeyValueMove] = []
  ) {
    self.model = model
    self.headerDigest = headerDigest
    self.headerByteCount = headerByteCount
    self.kvType = kvType
    self.combine = combine
    self.context = context
    self.sequences = sequences
    self.subBatchRows = subBatchRows
    self.node = node
    self.placement = placement
    self.addresses = addresses
    self.pieces = pieces
    self.moves = moves
  }

  public func write(to writer: inout WireWriter) {
    model.write(to: &writer)
    headerDigest.write(to: &writer)
    writer.long(headerByteCount)
    writer.u8(kvType.rawValue)
    writer.u8(combine.rawValue)
    writer.zeros(2)
    writer.int(context)
    writer.int(sequences)
    writer.int(subBatchRows)
    writer.int(node.rawValue)
    placement.write(to: &writer)
    writer.list(addresses) { $0.string($1) }
    writer.list(pieces) { $1.write(to: &$0) }
    writer.list(moves) { $1.write(to: &$0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    model = try Digest(from: &reader)
    headerDigest = try Digest(from: &reader)
    headerByteCount = try reader.long("size of the header")
    kvType = try reader.enumeration("KV type")
    combine = try reader.enumeration("combine mode")
    try reader.zeros(2, "reserved")
    context = try reader.int("context", in: 1...Int(Int32.max))
    sequences = try reader.int("sequences", in: 1...WireLimits.entries)
    subBatchRows = try reader.int("rows of a pass", in: 1...WireLimits.rows)
    node = NodeIndex(try reader.int("node", in: 0...WireLimits.nodes))
    placement = try Placement(from: &reader)
    addresses = try reader.list("addresses", limit: WireLimits.nodes, elementBytes: 4) { (reader) throws(WireError) in
      try reader.string("address")
    }
    pieces = try reader.list("pieces", limit: WireLimits.pieces, elementBytes: PieceDescription.wireBytes) {
      (reader) throws(WireError) in
      try PieceDescription(from: &reader)
    }
    moves = try reader.list("moves", limit: WireLimits.layers, elementBytes: 16) { (reader) throws(WireError) in
      try KeyValueMove(from: &reader)
    }
    guard node.rawValue < placement.nodes.count, addresses.count == placement.nodes.count else {
      throw reader.bad(
        "node \(node) and \(addresses.count) addresses do not fit a placement of \(placement.nodes.count) nodes")
    }
    let known = 0..<NodeIndex(placement.nodes.count)
    guard pieces.allSatisfy({ $0.holder.map { known.contains($0) } ?? true }),
      moves.allSatisfy({ known.contains($0.source) && known.contains($0.target) })
    else { throw reader.bad("a piece or a move names a node that the placement does not have") }
  }
}

/// Worker to coordinator: how far the preparation is.
public struct Progress: WireMessage {
  public let epoch: PlacementEpoch
  public let piecesDone: Int
  public let piecesTotal: Int
  public let bytesDone: Int
  public let bytesTotal: Int
  /// Bytes that came over the network.
  public let bytesMoved: Int

  public init(
    epoch: PlacementEpoch, piecesDone: Int, piecesTotal: Int, bytesDone: Int, bytesTotal: Int, bytesMoved: Int
  ) {
    self.epoch = epoch
    self.piecesDone = piecesDone
    self.piecesTotal = piecesTotal
    self.bytesDone = bytesDone
    self.bytesTotal = bytesTotal
    self.bytesMoved = bytesMoved
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.int(piecesDone)
    writer.int(piecesTotal)
    writer.long(bytesDone)
    writer.long(bytesTotal)
    writer.long(bytesMoved)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    piecesDone = try reader.int("pieces done", in: 0...WireLimits.pieces + 1)
    piecesTotal = try reader.int("pieces", in: 0...WireLimits.pieces + 1)
    bytesDone = try reader.long("bytes done")
    bytesTotal = try reader.long("bytes")
    bytesMoved = try reader.long("bytes moved")
  }
}

/// Worker to coordinator: the placement can be switched to.
public struct Prepared: WireMessage {
  public let epoch: PlacementEpoch
  /// Bytes that came over the network for it.
  public let bytesMoved: Int

  public init(epoch: PlacementEpoch, bytesMoved: Int) {
    self.epoch = epoch
    self.bytesMoved = bytesMoved
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.long(bytesMoved)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    bytesMoved = try reader.long("bytes moved")
  }
}

/// Worker to coordinator: the placement cannot be prepared here.
public struct PrepareFailed: WireMessage {
  public let epoch: PlacementEpoch
  public let sentence: String

  public init(epoch: PlacementEpoch, sentence: String) {
    self.epoch = epoch
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(epoch.rawValue)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    epoch = PlacementEpoch(rawValue: try reader.u32("epoch"))
    sentence = try reader.string("sentence")
  }
}

public import ModelSpec
public import Tensors

/// First frame of whoever dials a data connection, or one for pieces.
public struct PeerHello: WireMessage {
  public let cluster: ClusterID
  public let term: CoordinatorTerm
  /// The worker that dials.
  public let sender: NodeID
  /// The worker it means to reach.
  public let receiver: NodeID

  public init(cluster: ClusterID, term: CoordinatorTerm, sender: NodeID, receiver: NodeID) {
    self.cluster = cluster
    self.term = term
    self.sender = sender
    self.receiver = receiver
  }

  public func write(to writer: inout WireWriter) {
    cluster.write(to: &writer)
    writer.u32(term.rawValue)
    writer.string(sender.rawValue)
    writer.string(receiver.rawValue)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    cluster = try ClusterID(from: &reader)
    term = CoordinatorTerm(rawValue: try reader.u32("term"))
    sender = NodeID(try reader.string("name of the sender"))
    receiver = NodeID(try reader.string("name of the receiver"))
  }
}

/// Expert node to host: a dispatch cannot be answered. The header's stream names the step.
public struct ExchangeFailed: WireMessage {
  public let layer: LayerIndex
  public let pass: Int
  /// Which part of the exchange, 0 to 255.
  public let part: Int
  public let sentence: String

  public init(layer: LayerIndex, pass: Int, part: Int, sentence: String) {
    self.layer = layer
    self.pass = pass
    self.part = part
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.u16(UInt16(layer.rawValue))
    writer.u16(UInt16(pass))
    writer.u8(UInt8(part))
    writer.zeros(3)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    layer = LayerIndex(Int(try reader.u16("layer")))
    pass = Int(try reader.u16("pass"))
    part = Int(try reader.u8("part"))
    try reader.zeros(3, "reserved")
    sentence = try reader.string("sentence")
  }
}

/// Old host to new host: all keys and values that the sender hands over have been sent.
public struct KeyValuesEnd: WireMessage {
  /// `keyValues` frames that went before.
  public let slabCount: Int

  public init(slabCount: Int) { self.slabCount = slabCount }

  public func write(to writer: inout WireWriter) { writer.long(slabCount) }

  public init(from reader: inout WireReader) throws(WireError) { slabCount = try reader.long("slabs") }
}

/// Worker to coordinator, on a weights connection: send a part of a piece.
public struct PieceRequest: WireMessage {
  public let piece: PieceID
  public let offset: Int
  /// At most `WireLimits.pieceChunkBytes`.
  public let byteCount: Int

  public init(piece: PieceID, offset: Int, byteCount: Int) {
    self.piece = piece
    self.offset = offset
    self.byteCount = byteCount
  }

  public func write(to writer: inout WireWriter) {
    piece.write(to: &writer)
    writer.long(offset)
    writer.long(byteCount)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    piece = try PieceID(from: &reader)
    offset = try reader.long("offset in the piece")
    byteCount = try reader.long("bytes wanted", limit: WireLimits.pieceChunkBytes)
    guard byteCount > 0 else { throw reader.bad("no bytes are wanted", back: 8) }
  }
}

/// Worker to worker, on a connection for pieces: send a part of a piece that you have, by what is in it.
public struct StoredPieceRequest: WireMessage {
  public let model: Digest
  public let piece: PieceID
  /// SHA-256 of the whole piece.
  public let digest: Digest
  public let offset: Int
  /// At most `WireLimits.pieceChunkBytes`.
  public let byteCount: Int

  public init(model: Digest, piece: PieceID, digest: Digest, offset: Int, byteCount: Int) {
    self.model = model
    self.piece = piece
    self.digest = digest
    self.offset = offset
    self.byteCount = byteCount
  }

  public func write(to writer: inout WireWriter) {
    model.write(to: &writer)
    piece.write(to: &writer)
    digest.write(to: &writer)
    writer.long(offset)
    writer.long(byteCount)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    model = try Digest(from: &reader)
    piece = try PieceID(from: &reader)
    digest = try Digest(from: &reader)
    offset = try reader.long("offset in the piece")
    byteCount = try reader.long("bytes wanted", limit: WireLimits.pieceChunkBytes)
    guard byteCount > 0 else { throw reader.bad("no bytes are wanted", back: 8) }
  }
}

/// The head of a `pieceData` payload; the bytes of the piece follow it to the end of the frame.
public struct PieceDataHead: WireMessage {
  /// Bytes of the head.
  public static let byteCount = 20

  public let piece: PieceID
  public let offset: Int

  public init(piece: PieceID, offset: Int) {
    self.piece = piece
    self.offset = offset
  }

  public func write(to writer: inout WireWriter) {
    piece.write(to: &writer)
    writer.long(offset)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    piece = try PieceID(from: &reader)
    offset = try reader.long("offset in the piece")
  }
}

/// Whoever was asked for a piece: it cannot be sent.
public struct PieceRefused: WireMessage {
  public let piece: PieceID
  public let sentence: String

  public init(piece: PieceID, sentence: String) {
    self.piece = piece
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    piece.write(to: &writer)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    piece = try PieceID(from: &reader)
    sentence = try reader.string("sentence")
  }
}

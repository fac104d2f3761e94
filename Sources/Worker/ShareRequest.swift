public import ModelSpec
public import ShardStore
public import Tensors

/// The weights a coordinator wants a worker to hold.
public struct ShareRequest: Sendable {
  /// Tells requests of one worker apart: epochs do not, as another coordinator counts them anew.
  public let number: Int
  public let header: PieceEntry
  /// What the header says, when it is in memory already; nil to load it.
  public let spec: ModelSpec?
  public let pieces: [PieceEntry]
  /// Other workers that have pieces of it; nil when there are none to ask.
  public let peers: PeerPieces?
  /// Looks at the model before any weights are loaded; throws when the placement does not fit it or this node.
  let check: @Sendable (ModelSpec) throws -> Void

  public init(
    number: Int, header: PieceEntry, spec: ModelSpec? = nil, pieces: [PieceEntry],
    peers: PeerPieces? = nil,
    check: @escaping @Sendable (ModelSpec) throws -> Void = { _ in }
  ) {
    self.number = number
    self.header = header
    self.spec = spec
    self.pieces = pieces
    self.peers = peers
    self.check = check
  }
}

/// A share in memory.
public struct LoadedShare: Sendable {
  /// SHA-256 of the headers that `spec` was made from.
  public let headerDigest: Digest
  public let spec: ModelSpec
  /// Every piece of the share, also those that were in memory before.
  public let pieces: [PieceID: HeldPiece]
  /// Bytes that came over the network for it.
  public let bytesMoved: Int
  /// Keeps the share in the store.
  let pins: StorePins?
}

/// How far loading is.
public struct ShareProgress: Sendable {
  public var piecesDone = 0
  public var piecesTotal = 0
  public var bytesDone = 0
  public var bytesTotal = 0
  public var bytesMoved = 0
}

/// What a loader tells the worker's shell; the number is the request's.
public enum ShareEvent: Sendable {
  case progress(Int, ShareProgress)
  case loaded(Int, LoadedShare)
  case failed(Int, String)
}

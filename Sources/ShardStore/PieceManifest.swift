public import ModelSpec
public import Tensors

/// The sizes and hashes of all pieces of a model. Two models with the same `modelID` have the same headers and weights.
public struct PieceManifest: Sendable, Hashable {
  /// SHA-256 of the header's digest and all entries in order, each as the manifest's file holds it.
  public let modelID: Digest
  /// The piece `.header`.
  public let header: PieceEntry
  /// The pieces of the weights, in the order of `ModelSpec.pieces`.
  public let entries: [PieceEntry]
  private let indices: [PieceID: Int]

  /// - Parameters:
  ///   - header: the entry of the piece `.header`.
  ///   - entries: those of the weights, each piece once, in the order of `ModelSpec.pieces`.
  public init(header: PieceEntry, entries: [PieceEntry]) {
    var encoder = ManifestEncoder()
    for entry in entries { encoder.append(entry) }
    var hasher = PieceHasher()
    header.digest.bytes.withUnsafeBytes { hasher.update($0) }
    encoder.bytes.withUnsafeBytes { hasher.update($0) }
    modelID = hasher.finish()
    self.header = header
    self.entries = entries
    indices = Dictionary(entries.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The entry of a piece, also of `.header`; nil when the model has no such piece.
  public func entry(for piece: PieceID) -> PieceEntry? {
    piece == .header ? header : indices[piece].map { entries[$0] }
  }

  /// Bytes of all pieces of the weights.
  public var byteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }
}

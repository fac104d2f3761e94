public import ModelSpec
import Synchronization
public import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What a store holds, what of it is in use, and what it is, as far as anything in the folder tells.
public struct StoreReport: Sendable, Hashable {
  /// A model whose files were hashed on this machine.
  public struct Model: Sendable, Hashable {
    /// Its (first) file.
    public let path: String
    /// The model's id.
    public let modelID: Digest
    /// All pieces it has, its header included, stored or not.
    public let pieceCount: Int
    /// Bytes of all pieces it has.
    public let byteCount: Int
  }

  /// A stored piece.
  public struct Piece: Sendable, Hashable {
    /// Digest, size and when it was last used.
    public let stored: StoredPiece
    /// The processes that have it in use, ascending.
    public let users: [Int32]
    /// Which of `models` has it, the first if several have; nil when none does.
    public let model: Int?
    /// What it is in that model.
    public let id: PieceID?
  }

  /// The models that are known, by their paths; also those of which nothing is stored.
  public let models: [Model]
  /// The stored pieces, the one used least recently first.
  public let pieces: [Piece]

  /// That of a store with nothing in it.
  public init() {
    models = []
    pieces = []
  }

  init(models: [Model], pieces: [Piece]) {
    self.models = models
    self.pieces = pieces
  }
}

extension ShardStore {
  /// Looks through the folder: pieces, who has them in use, and of which models they are.
  ///
  /// A model is known where its files were hashed, which is on the coordinator's machine; elsewhere a piece is no more
  /// than a digest.
  public func report() -> StoreReport {
    let manifests = knownManifests()
    var places: [Digest: (model: Int, id: PieceID)] = [:]
    for (index, known) in manifests.enumerated() {
      for entry in [known.manifest.header] + known.manifest.entries where places[entry.digest] == nil {
        places[entry.digest] = (index, entry.id)
      }
    }
    var users = PinScan(folder: pinFolder, skipping: pinName).users
    for digest in state.withLock({ Array($0.pins.keys) }) {
      users[digest] = Set(users[digest, default: []] + [getpid()]).sorted()
    }
    return StoreReport(
      models: manifests.map { path, manifest in
        StoreReport.Model(
          path: path, modelID: manifest.modelID, pieceCount: manifest.entries.count + 1,
          byteCount: manifest.byteCount + manifest.header.byteCount)
      },
      pieces: list().map { piece in
        let place = places[piece.digest]
        return StoreReport.Piece(
          stored: piece, users: users[piece.digest] ?? [], model: place?.model, id: place?.id)
      })
  }

  /// The manifests in the folder, each model once, in the order of their files' paths.
  private func knownManifests() -> [(path: String, manifest: PieceManifest)] {
    var known: [Digest: (path: String, manifest: PieceManifest)] = [:]
    for name in Files.names(in: manifestFolder) where Digest(hexadecimal: name) != nil {
      guard let cached = cachedManifest(name), let path = cached.files.first?.path else { continue }
      let id = cached.manifest.modelID
      if known[id].map({ path < $0.path }) ?? true { known[id] = (path, cached.manifest) }
    }
    return known.values.sorted { $0.path < $1.path }
  }
}

import Dispatch
import GGUF
import Kernels
public import ModelGraph
public import ModelSpec
public import ShardStore
private import Synchronization
public import Tensors

/// The weights a coordinator wants a worker to hold.
public struct ShareRequest: Sendable {
  public let epoch: PlacementEpoch
  public let header: PieceEntry
  public let pieces: [PieceEntry]

  public init(epoch: PlacementEpoch, header: PieceEntry, pieces: [PieceEntry]) {
    self.epoch = epoch
    self.header = header
    self.pieces = pieces
  }
}

/// A piece in memory and the hash it was checked against.
public struct HeldPiece: Sendable {
  public let piece: LoadedPiece
  public let digest: Digest
}

/// A share in memory.
public struct LoadedShare: Sendable {
  public let epoch: PlacementEpoch
  public let spec: ModelSpec
  /// Every piece of the share, also those that were in memory before.
  public let pieces: [PieceID: HeldPiece]
  /// Bytes that came over the network for it.
  public let bytesMoved: Int
}

/// How far loading is.
public struct ShareProgress: Sendable {
  public var piecesDone = 0
  public var piecesTotal = 0
  public var bytesDone = 0
  public var bytesTotal = 0
  public var bytesMoved = 0
}

/// What a loader tells the worker's shell.
public enum ShareEvent: Sendable {
  case progress(PlacementEpoch, ShareProgress)
  case loaded(LoadedShare)
  case failed(PlacementEpoch, String)
}

/// Loads shares, on a thread of its own or inline.
public protocol ShareLoading: AnyObject {
  /// Starts to load; the outcome goes to `post`, once. An earlier request still under way is given up.
  /// - Parameter held: pieces in memory; those the request names are taken as they are.
  func load(
    _ request: ShareRequest, held: [PieceID: HeldPiece], post: @escaping @Sendable (ShareEvent) -> Void)
}

/// Reads the pieces of a share into the arena, from the store, local model files, or the coordinator.
public final class ShareLoader: ShareLoading {
  private let arena: WeightArena
  private let sources: @Sendable (_ header: PieceEntry) -> [any PieceSource]
  private let store: ShardStore?
  private let warning: @Sendable (String) -> Void
  private let queue: DispatchQueue?
  /// Number of the newest request.
  private let newest = NewestRequest()

  /// - Parameters:
  ///   - sources: where pieces of the model with that header may come from, the nearest first.
  ///   - isInline: load within the call, for tests that run everything on one thread.
  public init(
    arena: WeightArena, store: ShardStore?, isInline: Bool = false,
    sources: @escaping @Sendable (_ header: PieceEntry) -> [any PieceSource],
    warning: @escaping @Sendable (String) -> Void
  ) {
    self.arena = arena
    self.store = store
    self.sources = sources
    self.warning = warning
    queue = isInline ? nil : DispatchQueue(label: "shoal.share-loader")
  }

  public func load(
    _ request: ShareRequest, held: [PieceID: HeldPiece], post: @escaping @Sendable (ShareEvent) -> Void
  ) {
    let number = newest.next()
    let job = LoadJob(
      request: request, held: held, arena: arena,
      loader: PieceLoader(
        sources: sources(request.header), store: store, warning: warning),
      isCurrent: { [newest] in newest.value == number }, post: post)
    guard let queue else { return job.run() }
    queue.async { job.run() }
  }
}

/// Counts requests, so that an older one notices that it is given up.
private final class NewestRequest: Sendable {
  private let number = Atomic<Int>(0)
  var value: Int { number.load(ordering: .acquiring) }
  func next() -> Int { number.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue }
}

/// One run of the loader.
private struct LoadJob: Sendable {
  let request: ShareRequest
  let held: [PieceID: HeldPiece]
  let arena: WeightArena
  let loader: PieceLoader
  let isCurrent: @Sendable () -> Bool
  let post: @Sendable (ShareEvent) -> Void

  func run() {
    var fresh: [LoadedPiece] = []
    do {
      post(.loaded(try load(&fresh)))
    } catch {
      for piece in fresh { arena.release(piece.slot) }
      post(.failed(request.epoch, "\(error)"))
    }
  }

  private func load(_ fresh: inout [LoadedPiece]) throws -> LoadedShare {
    let (bytes, origin) = try loader.loadPacked(request.header)
    let spec = try ModelSpec(file: GGUFFile(headers: ModelSpec.decodeHeaders(bytes)))
    try spec.requireTypes(Kernels.supportedTypes)
    var progress = ShareProgress()
    progress.piecesTotal = request.pieces.count
    progress.bytesTotal = request.pieces.reduce(0) { $0 + $1.byteCount }
    if origin == .network { progress.bytesMoved += request.header.byteCount }
    var pieces: [PieceID: HeldPiece] = [:]
    for entry in request.pieces {
      guard isCurrent() else { throw WorkerError(.superseded, "other orders came while the share was loaded") }
      if let piece = held[entry.id], piece.digest == entry.digest, piece.piece.layout == spec.layout(of: entry.id) {
        pieces[entry.id] = piece
      } else {
        guard pieces[entry.id] == nil else { throw WorkerError(.badShare, "the \(entry.id) is named twice") }
        let (piece, origin) = try load(entry, spec)
        fresh.append(piece)
        pieces[entry.id] = HeldPiece(piece: piece, digest: entry.digest)
        if origin == .network { progress.bytesMoved += entry.byteCount }
      }
      progress.piecesDone += 1
      progress.bytesDone += entry.byteCount
      post(.progress(request.epoch, progress))
    }
    return LoadedShare(epoch: request.epoch, spec: spec, pieces: pieces, bytesMoved: progress.bytesMoved)
  }

  private func load(_ entry: PieceEntry, _ spec: ModelSpec) throws -> (LoadedPiece, PieceOrigin) {
    guard let layout = spec.layout(of: entry.id) else {
      throw WorkerError(.badShare, "the model has no \(entry.id)")
    }
    let slot = try arena.allocate(byteCount: layout.memoryBytes)
    do {
      let memory = UnsafeMutableRawBufferPointer(start: slot.base, count: layout.memoryBytes)
      let origin = try loader.load(layout: layout, entry: entry, into: memory)
      return (LoadedPiece(layout: layout, slot: slot), origin)
    } catch {
      arena.release(slot)
      throw error
    }
  }
}

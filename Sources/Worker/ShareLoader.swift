import Dispatch
import GGUF
public import Kernels
import ModelGraph
public import ModelSpec
public import ShardStore
private import Synchronization
public import Tensors

/// Loads shares, on a thread of its own or inline.
public protocol ShareLoading: AnyObject {
  /// Starts to load; the outcome goes to `post`, once. An earlier request still under way is given up, and fails.
  /// - Parameter held: pieces in memory; those the request names are taken as they are.
  func load(
    _ request: ShareRequest, held: [PieceID: HeldPiece], post: @escaping @Sendable (ShareEvent) -> Void)
  /// Gives up a request that is under way; it fails.
  func cancel()
}

/// Reads the pieces of a share into the arena, from the store, local model files, or the coordinator.
public final class ShareLoader: ShareLoading {
  private let arena: WeightArena
  private let kernels: Kernels
  private let sources: @Sendable (ShareRequest) -> [any PieceSource]
  private let store: ShardStore?
  private let warning: @Sendable (String) -> Void
  private let queue: DispatchQueue?
  /// Number of the newest request.
  private let newest = NewestRequest()

  /// - Parameters:
  ///   - kernels: what the weights are laid out for.
  ///   - sources: where the pieces of a request may come from, the nearest first.
  ///   - isInline: load within the call, for tests that run everything on one thread.
  public init(
    arena: WeightArena, kernels: Kernels, store: ShardStore?, isInline: Bool = false,
    sources: @escaping @Sendable (ShareRequest) -> [any PieceSource],
    warning: @escaping @Sendable (String) -> Void
  ) {
    self.arena = arena
    self.kernels = kernels
    self.store = store
    self.sources = sources
    self.warning = warning
    queue = isInline ? nil : DispatchQueue(label: "shoal.share-loader")
  }

  public func cancel() { _ = newest.next() }

  public func load(
    _ request: ShareRequest, held: [PieceID: HeldPiece], post: @escaping @Sendable (ShareEvent) -> Void
  ) {
    let number = newest.next()
    let job = LoadJob(
      request: request, held: held, arena: arena, kernels: kernels, store: store,
      loader: PieceLoader(
        sources: sources(request), store: store, warning: warning),
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
  let kernels: Kernels
  let store: ShardStore?
  let loader: PieceLoader
  let isCurrent: @Sendable () -> Bool
  let post: @Sendable (ShareEvent) -> Void

  /// Most progress events of a request; the mailbox they go to is bounded.
  private static let progressEvents = 100

  func run() {
    do {
      post(.loaded(request.number, try load()))
    } catch {
      post(.failed(request.number, "\(error)"))
    }
  }

  private func load() throws -> LoadedShare {
    let pins = store.map { StorePins([request.header.digest] + request.pieces.map(\.digest), in: $0) }
    try checkCurrent()
    var progress = ShareProgress()
    let spec = try request.spec ?? loadSpec(&progress)
    try request.check(spec)
    progress.piecesTotal = request.pieces.count
    progress.bytesTotal = request.pieces.reduce(0) { $0 &+ $1.byteCount }
    var pieces: [PieceID: HeldPiece] = [:]
    for entry in request.pieces {
      try checkCurrent()
      guard pieces[entry.id] == nil else { throw WorkerError(.badShare, "the \(entry.id) is named twice") }
      if let piece = held[entry.id], piece.digest == entry.digest, piece.piece.layout == spec.layout(of: entry.id) {
        pieces[entry.id] = piece
      } else {
        let (piece, origin) = try load(entry, spec)
        pieces[entry.id] = HeldPiece(piece: piece, digest: entry.digest, arena: arena)
        if origin == .network { progress.bytesMoved += entry.byteCount }
      }
      progress.piecesDone += 1
      progress.bytesDone += entry.byteCount
      report(progress)
    }
    return LoadedShare(
      headerDigest: request.header.digest, spec: spec, pieces: pieces, bytesMoved: progress.bytesMoved, pins: pins)
  }

  private func loadSpec(_ progress: inout ShareProgress) throws -> ModelSpec {
    let (bytes, origin) = try loader.loadPacked(request.header)
    if origin == .network { progress.bytesMoved += request.header.byteCount }
    let spec = try ModelSpec(file: GGUFFile(headers: ModelSpec.decodeHeaders(bytes)))
    try spec.requireTypes(Kernels.supportedTypes)
    return spec
  }

  private func checkCurrent() throws(WorkerError) {
    guard isCurrent() else { throw WorkerError(.superseded, "other orders came while the share was loaded") }
  }

  private func report(_ progress: ShareProgress) {
    let step = progress.piecesTotal / Self.progressEvents + 1
    guard progress.piecesDone % step == 0 || progress.piecesDone == progress.piecesTotal else { return }
    post(.progress(request.number, progress))
  }

  private func load(_ entry: PieceEntry, _ spec: ModelSpec) throws -> (LoadedPiece, PieceOrigin) {
    guard let layout = spec.layout(of: entry.id) else {
      throw WorkerError(.badShare, "the model has no \(entry.id)")
    }
    let slot = try arena.allocate(byteCount: layout.memoryBytes)
    do {
      let memory = UnsafeMutableRawBufferPointer(start: slot.base, count: layout.memoryBytes)
      let origin = try loader.load(layout: layout, entry: entry, into: memory)
      return (LoadedPiece(layout: layout, slot: slot, for: kernels), origin)
    } catch {
      arena.release(slot)
      throw error
    }
  }
}

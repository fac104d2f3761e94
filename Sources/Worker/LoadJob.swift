import GGUF
import Kernels
import ModelGraph
import ModelSpec
import ShardStore
import Synchronization
import Tensors
import Transport

/// One run of the loader: the pieces of a share, one after the other or several side by side.
struct LoadJob: Sendable {
  let request: ShareRequest
  let held: [PieceID: HeldPiece]
  let arena: WeightArena
  let kernels: Kernels
  let store: ShardStore?
  let loader: PieceLoader
  /// How many load side by side: reading, hashing and laying out keep a core busy.
  let threads: Int
  let isCurrent: @Sendable () -> Bool
  let post: @Sendable (ShareEvent) -> Void

  /// Most threads that load, however many compute: each keeps a file open, and a disk is busy with a few.
  private static let mostLanes = 32
  /// Most progress events of a request; the mailbox they go to is bounded.
  private static let progressEvents = 100

  /// What the threads share.
  private struct State {
    var next = 0
    var pieces: [PieceID: HeldPiece] = [:]
    var progress: ShareProgress
    /// The first one; the other threads stop when there is one.
    var error: (any Error)?
  }

  /// In a class, as the closures of threads take it along.
  private final class SharedState: Sendable {
    let value: Mutex<State>
    init(_ progress: ShareProgress) { value = Mutex(State(progress: progress)) }
  }

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
    try checkNames()
    progress.piecesTotal = request.pieces.count
    progress.bytesTotal = request.pieces.reduce(0) { $0 &+ $1.byteCount }
    let state = SharedState(progress)
    inLanes { while let entry = take(from: state) { load(entry, spec, state) } }
    return try state.value.withLock { state in
      if let error = state.error { throw error }
      return LoadedShare(
        headerDigest: request.header.digest, spec: spec, pieces: state.pieces, bytesMoved: state.progress.bytesMoved,
        pins: pins)
    }
  }

  /// Runs `lane` on this thread and on others of their own: those of the system's pool may be taken or blocked, and
  /// then nothing would load side by side. Where the system has no thread left, fewer load.
  private func inLanes(_ lane: @escaping @Sendable () -> Void) {
    var others: [PlatformThread] = []
    let count = min(threads, request.pieces.count, Self.mostLanes)
    while others.count < count - 1, let thread = try? PlatformThread(lane) {
      others.append(thread)
    }
    lane()
    for thread in others { thread.join() }
  }

  private func checkNames() throws(WorkerError) {
    var names: Set<PieceID> = []
    for entry in request.pieces where !names.insert(entry.id).inserted {
      throw WorkerError(.badShare, "the \(entry.id) is named twice")
    }
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

  /// The next piece to load; nil when there is none, or no sense in it any more.
  private func take(from state: SharedState) -> PieceEntry? {
    state.value.withLock { state in
      guard state.error == nil, state.next < request.pieces.count else { return nil }
      defer { state.next += 1 }
      return request.pieces[state.next]
    }
  }

  private func load(_ entry: PieceEntry, _ spec: ModelSpec, _ state: SharedState) {
    do {
      try checkCurrent()
      let (piece, origin) =
        try held(entry, spec) ?? load(entry, spec) { isCurrent() && state.value.withLock { $0.error == nil } }
      state.value.withLock { state in
        state.pieces[entry.id] = piece
        if origin == .network { state.progress.bytesMoved += entry.byteCount }
        state.progress.piecesDone += 1
        state.progress.bytesDone += entry.byteCount
        report(state.progress)
      }
    } catch {
      // What fails because it is not wanted any more says so.
      var reason = error
      do throws(WorkerError) { try checkCurrent() } catch { reason = error }
      state.value.withLock { $0.error = $0.error ?? reason }
    }
  }

  /// The piece as it is in memory already; nil when it is not.
  private func held(_ entry: PieceEntry, _ spec: ModelSpec) -> (HeldPiece, PieceOrigin?)? {
    guard let piece = held[entry.id], piece.digest == entry.digest, piece.piece.layout == spec.layout(of: entry.id)
    else { return nil }
    return (piece, nil)
  }

  private func load(
    _ entry: PieceEntry, _ spec: ModelSpec, _ isWanted: () -> Bool
  ) throws -> (HeldPiece, PieceOrigin?) {
    guard let layout = spec.layout(of: entry.id) else {
      throw WorkerError(.badShare, "the model has no \(entry.id)")
    }
    let slot = try arena.allocate(byteCount: layout.memoryBytes)
    do {
      let memory = UnsafeMutableRawBufferPointer(start: slot.base, count: layout.memoryBytes)
      let origin = try loader.load(layout: layout, entry: entry, into: memory, isWanted: isWanted)
      let piece = LoadedPiece(layout: layout, slot: slot, for: kernels)
      return (HeldPiece(piece: piece, digest: entry.digest, arena: arena), origin)
    } catch {
      arena.release(slot)
      throw error
    }
  }

  private func report(_ progress: ShareProgress) {
    let step = progress.piecesTotal / Self.progressEvents + 1
    guard progress.piecesDone % step == 0 || progress.piecesDone == progress.piecesTotal else { return }
    post(.progress(request.number, progress))
  }
}

import Dispatch
public import Kernels
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
  private let threads: Int
  private let sources: @Sendable (ShareRequest) -> [any PieceSource]
  private let store: ShardStore?
  private let warning: @Sendable (String) -> Void
  private let queue: DispatchQueue?
  /// Number of the newest request.
  private let newest = NewestRequest()

  /// - Parameters:
  ///   - kernels: what the weights are laid out for.
  ///   - sources: where the pieces of a request may come from, the nearest first.
  ///   - threads: how many load side by side as long as nothing is in memory; later, when steps may be running, one does.
  ///   - isInline: load within the call, on its thread alone, for tests that run everything on one thread.
  public init(
    arena: WeightArena, kernels: Kernels, store: ShardStore?, threads: Int = 1, isInline: Bool = false,
    sources: @escaping @Sendable (ShareRequest) -> [any PieceSource],
    warning: @escaping @Sendable (String) -> Void
  ) {
    self.arena = arena
    self.kernels = kernels
    self.threads = threads
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
      threads: held.isEmpty && queue != nil ? threads : 1,
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

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A fixed team of compute threads that share loops.
///
/// The threads are started once. Whoever calls `parallelFor` is member 0 and works along; each begins with a share of its
/// own and then takes from others', so that a thread whose core is busy with something else delays nobody: a helper that
/// wakes late finds no piece left, and nobody has waited for it. Idle helpers look for work for half a
/// millisecond, most of that time giving way to others, then sleep.
///
/// Work on one team must come from one thread at a time, and not from inside a body: that is a precondition.
public final class ThreadTeam: Sendable {
  /// Members, the caller included.
  public let threadCount: Int
  private let state: TeamState
  private let helpers: [pthread_t]

  /// Starts the helpers.
  /// - Parameter threads: members wanted, the caller included, 1 to 1024. When the system refuses some of the threads
  ///   the team is smaller: see `threadCount`.
  public convenience init(threads: Int) { self.init(threads: threads, lookNanoseconds: 500_000) }

  /// - Parameter lookNanoseconds: how long members look for work, or for its end, before they sleep. By default longer than
  ///   it takes in one process from the end of a step to the beginning of the next.
  init(threads: Int, lookNanoseconds: UInt64) {
    precondition(threads >= 1 && threads <= 1024, "a team of \(threads) threads")
    let state = TeamState(members: threads, lookNanoseconds: lookNanoseconds)
    var helpers: [pthread_t] = []
    while helpers.count < threads - 1, let helper = Self.startHelper(member: helpers.count + 1, state) {
      helpers.append(helper)
    }
    self.state = state
    self.helpers = helpers
    threadCount = helpers.count + 1
  }

  deinit {
    state.stop()
    for helper in helpers { pthread_join(helper, nil) }
  }

  /// Calls `body` for all of `0..<count`, in ranges of one or several pieces of `grain` (the last may be shorter), and
  /// returns when all pieces are done.
  ///
  /// Each index is in exactly one range. Which member runs which range is left to chance, so results must not depend
  /// on it. Starts no thread and allocates nothing but the closure's box of a few words.
  /// - Parameters:
  ///   - grain: indices in a piece, at least 1; a piece should be worth a few microseconds. Ranges begin at its
  ///     multiples.
  ///   - body: the range to work on, and the member that does it, 0 to `threadCount - 1`, for scratch of its own.
  public func parallelFor(count: Int, grain: Int, _ body: (_ range: Range<Int>, _ thread: Int) -> Void) {
    precondition(count >= 0 && grain >= 1, "a loop of \(count) in pieces of \(grain)")
    guard count > grain, threadCount > 1 else {
      if count > 0 { body(0..<count, 0) }
      return
    }
    withoutActuallyEscaping(body) { body in
      state.run(TeamJob(body: body, count: count, grain: grain))
    }
  }

  private static func startHelper(member: Int, _ state: TeamState) -> pthread_t? {
    let start = Unmanaged.passRetained(HelperStart(member: member, state: state))
    #if canImport(Glibc) || canImport(Musl)
      var thread = pthread_t()
    #else
      var thread: pthread_t?
    #endif
    let result = pthread_create(&thread, nil, helperMain, start.toOpaque())
    guard result == 0 else {
      start.release()
      return nil
    }
    return thread
  }
}

/// What a new helper is told.
private final class HelperStart {
  let member: Int
  let state: TeamState

  init(member: Int, state: TeamState) {
    self.member = member
    self.state = state
  }
}

private func helperMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  let start = Unmanaged<HelperStart>.fromOpaque(argument).takeRetainedValue()
  start.state.help(member: start.member)
  return nil
}

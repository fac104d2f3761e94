private import Synchronization
import Wire

/// The beat of a thread that computes, for other threads to see: while it works, the count grows, unless it hangs.
///
/// The thread beats; a control plane that is given the pulse answers heartbeats with it.
public final class Pulse: Sendable {
  private let rounds = Atomic<UInt64>(0)
  private let working = Atomic<Bool>(false)

  public init() {}

  /// Says that a round of the thread's loop, or a piece of a long one, is done.
  public func beat() { rounds.wrappingAdd(1, ordering: .relaxed) }

  /// Rounds so far.
  public var count: UInt64 { rounds.load(ordering: .relaxed) }

  /// Whether the thread has something to do; false while it waits. Set by the thread itself.
  public var isWorking: Bool {
    get { working.load(ordering: .relaxed) }
    set { working.store(newValue, ordering: .relaxed) }
  }

  /// The answer to a ping.
  func answer(_ ping: Heartbeat) -> ControlMessage {
    .pong(Heartbeat(nonce: ping.nonce, progress: count, isWorking: isWorking))
  }
}

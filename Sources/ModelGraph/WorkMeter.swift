public import Tensors

/// Divides the time of an engine's thread among the parts of its work, apart for decode and prefill.
///
/// Whoever turns to another part says so, and the time since the last such word goes to the part before. It reads no
/// clock of its own: the shell that owns it brings one, or none, and then nothing is timed. Allocates nothing. Confined
/// to the engine's thread.
public final class WorkMeter {
  /// The phase and part under way, as an index into `times`, and since when; nil when what is done is not counted.
  private var lap: (slot: Int, since: ContinuousClock.Instant)?
  private var isPrefill = false
  /// Decode's parts, then prefill's.
  private var times = InlineArray<12, Duration>(repeating: .zero)
  private var sent = InlineArray<2, UInt64>(repeating: 0)
  private var roundTrips = InlineArray<2, UInt64>(repeating: 0)
  private let clock: (@Sendable () -> ContinuousClock.Instant)?

  /// - Parameter clock: the time; nil to count without timing.
  public init(clock: (@Sendable () -> ContinuousClock.Instant)? = nil) { self.clock = clock }

  /// From now on a part of the work is done, in the phase that the last call named; nil: nothing that is counted.
  public func enter(_ part: WorkPart?) { enter(part, prefill: isPrefill) }

  /// From now on a part of the work is done, in steps of that phase.
  public func enter(_ part: WorkPart?, prefill: Bool) {
    let next = part.map { $0.rawValue + (prefill ? WorkPart.allCases.count : 0) }
    isPrefill = prefill
    guard next != lap?.slot, let clock else { return }
    let now = clock()
    if let lap { times[lap.slot] += now - lap.since }
    lap = next.map { ($0, now) }
  }

  /// A frame of so many bytes, header included, was sent to another node in steps of that phase.
  public func sent(bytes: Int, prefill: Bool) { sent[prefill ? 1 : 0] &+= UInt64(bytes) }

  /// An exchange with other nodes was begun in a step of that phase.
  public func exchanged(prefill: Bool) { roundTrips[prefill ? 1 : 0] &+= 1 }

  /// What decode steps have taken so far, without the part under way.
  public var decode: WorkTally { tally(0) }
  /// What prefill steps have taken so far, likewise.
  public var prefill: WorkTally { tally(1) }

  private func tally(_ phase: Int) -> WorkTally {
    var tally = WorkTally()
    for part in WorkPart.allCases {
      tally.times[part] = Self.nanoseconds(times[part.rawValue + phase * WorkPart.allCases.count])
    }
    tally.sentBytes = sent[phase]
    tally.roundTrips = roundTrips[phase]
    return tally
  }

  private static func nanoseconds(_ time: Duration) -> UInt64 {
    let (seconds, attoseconds) = time.components
    // A clock that went back has measured nothing.
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds) / 1_000_000_000
  }
}

import CKernels
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One loop that a team shares.
struct TeamJob {
  let body: (_ range: Range<Int>, _ thread: Int) -> Void
  let count: Int
  let grain: Int

  var pieces: Int { (count - 1) / grain + 1 }

  /// The indices of some pieces that follow each other.
  func range(of pieces: Range<Int>) -> Range<Int> {
    pieces.lowerBound * grain..<min(count, pieces.upperBound * grain)
  }
}

/// Pieces that follow each other, as one number.
private struct Share {
  let bits: UInt64

  init(bits: UInt64) { self.bits = bits }

  init(_ pieces: Range<Int>) {
    bits = UInt64(UInt32(pieces.upperBound)) << 32 | UInt64(UInt32(pieces.lowerBound))
  }

  var pieces: Range<Int> { Int(UInt32(truncatingIfNeeded: bits))..<Int(bits >> 32) }
}

/// What the members of a team share.
///
/// A job is published by dividing its pieces into a share for each member. A member takes pieces from the front of its
/// own share, then from the back of others'; only once it has taken some does it look at the job, and the job stays until
/// every piece is reported in `completed`. So a member that comes late, even in the middle of a later job, either takes
/// pieces of the job that runs at that moment or touches nothing; nobody waits for members, only for pieces.
final class TeamState: @unchecked Sendable {
  // SAFETY: `job` is written by the caller only while no piece is out, before the shares are stored with release
  // order, and read by members only after their acquiring exchange gave them pieces of it, up to their report.
  // `shares` is written once.
  // The mutex and condition are made for sharing. All else is atomic.
  private let job: UnsafeMutablePointer<TeamJob?>
  private let helpersPark = Park()
  private let callerPark = Park()
  /// What is left of each member's share: the first piece, and the end in the upper half.
  private let shares: UnsafeMutablePointer<Padded<Atomic<UInt64>>>
  private let members: Int
  private let lookNanoseconds: UInt64
  private let completed = Padded(Atomic<Int>(0))
  /// Counts published jobs; helpers wait for it to change.
  private let epoch = Padded(Atomic<UInt64>(0))
  private let stopped = Atomic<Bool>(false)
  private let busy = Atomic<Bool>(false)

  /// - Parameters:
  ///   - members: how many share a job.
  ///   - lookNanoseconds: how long they look before they sleep.
  init(members: Int, lookNanoseconds: UInt64) {
    self.members = members
    self.lookNanoseconds = lookNanoseconds
    shares = .allocate(capacity: members)
    for member in 0..<members { (shares + member).initialize(to: Padded(Atomic(0))) }
    job = .allocate(capacity: 1)
    job.initialize(to: nil)
  }

  deinit {
    job.deinitialize(count: 1)
    job.deallocate()
    shares.deinitialize(count: members)
    shares.deallocate()
  }

  /// Runs a job to its end, as member 0.
  func run(_ newJob: TeamJob) {
    let alone = busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    precondition(alone, "parallelFor on a team that is at work: nested, or from two threads")
    let pieces = newJob.pieces
    job.pointee = newJob
    completed.value.store(0, ordering: .relaxed)
    for member in 0..<members {
      let share = Share(member * pieces / members..<(member + 1) * pieces / members)
      shares[member].value.store(share.bits, ordering: .releasing)
    }
    epoch.value.wrappingAdd(1, ordering: .sequentiallyConsistent)
    helpersPark.wake()

    let done = work(member: 0)
    if completed.value.wrappingAdd(done, ordering: .acquiringAndReleasing).newValue != pieces {
      wait(callerPark) { completed.value.load(ordering: .sequentiallyConsistent) == pieces }
    }
    job.pointee = nil
    busy.store(false, ordering: .releasing)
  }

  /// A helper's life: waits for jobs until the team ends.
  func help(member: Int) {
    var seen: UInt64 = 0
    while true {
      wait(helpersPark) { epoch.value.load(ordering: .sequentiallyConsistent) != seen }
      // In this order: a stop that the epoch tells of is seen; one that comes later changes the epoch again.
      seen = epoch.value.load(ordering: .acquiring)
      if stopped.load(ordering: .acquiring) { return }
      let done = work(member: member)
      if done > 0 {
        completed.value.wrappingAdd(done, ordering: .sequentiallyConsistent)
        callerPark.wake()
      }
    }
  }

  /// Ends the helpers; no job may be under way.
  func stop() {
    stopped.store(true, ordering: .releasing)
    epoch.value.wrappingAdd(1, ordering: .sequentiallyConsistent)
    helpersPark.wake()
  }

  /// Takes pieces until none is left, and says how many it did. Not inlined, so that nothing of the job is held any
  /// more when the pieces are reported.
  @inline(never)
  ///
  /// Memory likes it when each thread reads long stretches far from what the others read: 38 instead of 31 GB/s with two
  /// threads. That is why everybody begins in a place of their own and takes half of what is left there at a time.
  private func work(member: Int) -> Int {
    var done = 0
    for offset in 0..<members {
      while let pieces = take(from: (member + offset) % members, atFront: offset == 0) {
        runPieces(pieces, member: member)
        done += pieces.count
      }
    }
    return done
  }

  /// Takes some of what is left of a member's share; nil when nothing is.
  private func take(from member: Int, atFront: Bool) -> Range<Int>? {
    var bits = shares[member].value.load(ordering: .relaxed)
    while true {
      let left = Share(bits: bits).pieces
      guard !left.isEmpty else { return nil }
      let count = (left.count + 1) / 2
      let taken = atFront ? left.prefix(count) : left.suffix(count)
      let rest = atFront ? left.dropFirst(count) : left.dropLast(count)
      // Should another job have come with the very same share, the pieces are of that job.
      let result = shares[member].value.weakCompareExchange(
        expected: bits, desired: Share(rest).bits, ordering: .acquiring)
      if result.exchanged { return taken }
      bits = result.original
    }
  }

  @inline(never)
  private func runPieces(_ pieces: Range<Int>, member: Int) {
    guard let job = job.pointee else { preconditionFailure("pieces of no job") }
    job.body(job.range(of: pieces), member)
  }

  /// Looks again and again for a moment, then sleeps until the condition holds. After the first microseconds others may
  /// have the core in between: whoever needs it at that moment may be the one who brings the next work.
  @inline(__always)
  private func wait(_ park: Park, until condition: () -> Bool) {
    var start: UInt64 = 0
    while true {
      for _ in 0..<32 {
        if condition() { return }
        ck_spin_hint()
      }
      let now = Self.nanoseconds()
      if start == 0 { start = now }
      if now - start >= lookNanoseconds { break }
      if now - start >= Self.spinNanoseconds { sched_yield() }
    }
    park.sleep(until: condition)
  }

  private static let spinNanoseconds: UInt64 = 10_000

  private static func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// A value with cache lines of its own.
private struct Padded<Value: ~Copyable>: ~Copyable {
  private let before = InlineArray<15, Int>(repeating: 0)
  let value: Value
  private let after = InlineArray<15, Int>(repeating: 0)

  init(_ value: consuming Value) { self.value = value }
}

/// Where threads sleep until a condition holds that others make true.
private final class Park: @unchecked Sendable {
  // SAFETY: the mutex and the condition variable are made for sharing and stay where they are; the rest is atomic.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private let sleepers = Atomic<Int>(0)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Sleeps until `isTrue`, which must read sequentially consistent atomics only.
  func sleep(until isTrue: () -> Bool) {
    pthread_mutex_lock(mutex)
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    while !isTrue() { pthread_cond_wait(condition, mutex) }
    sleepers.wrappingSubtract(1, ordering: .relaxed)
    pthread_mutex_unlock(mutex)
  }

  /// To be called after a sequentially consistent write that may have made a condition true: either the sleeper sees
  /// that write when it looks once more, or this call sees the sleeper.
  func wake() {
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_mutex_unlock(mutex)
    pthread_cond_broadcast(condition)
  }
}

import ModelGraph
import Synchronization
import Tensors
import Testing

@Suite struct WorkMeterTests {
  /// A clock that is set by hand.
  private final class Clock: Sendable {
    private let time = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { time.withLock { $0 } }
    func pass(_ nanoseconds: Int) { time.withLock { $0 += .nanoseconds(nanoseconds) } }
  }

  private let clock = Clock()

  @Test("time goes to the part that was entered last, of the phase that was named last")
  func parts() {
    let meter = WorkMeter { [clock] in clock.now }
    clock.pass(1000)
    meter.enter(.attention, prefill: false)
    clock.pass(5)
    meter.enter(.router)
    clock.pass(7)
    meter.enter(.router)
    clock.pass(1)
    meter.enter(.attention, prefill: true)
    clock.pass(20)
    meter.enter(nil)
    clock.pass(1000)
    meter.enter(.wire)
    clock.pass(3)
    meter.enter(.attention, prefill: false)
    clock.pass(2)
    #expect(meter.decode.times.attention == 5, "what is under way is not counted yet")
    meter.enter(nil)
    #expect(meter.decode.times.attention == 7 && meter.decode.times.router == 8 && meter.decode.times.wire == 0)
    #expect(meter.prefill.times.attention == 20 && meter.prefill.times.wire == 3)
    #expect(WorkPart.allCases.reduce(0) { $0 + meter.decode.times[$1] + meter.prefill.times[$1] } == 38)
  }

  @Test("bytes and exchanges are counted by phase")
  func counts() {
    let meter = WorkMeter()
    meter.sent(bytes: 10, prefill: false)
    meter.sent(bytes: 5, prefill: true)
    meter.sent(bytes: 1, prefill: false)
    meter.exchanged(prefill: true)
    #expect(meter.decode.sentBytes == 11 && meter.prefill.sentBytes == 5)
    #expect(meter.decode.roundTrips == 0 && meter.prefill.roundTrips == 1)
  }

  @Test("without a clock nothing is timed, and a clock that goes back measures nothing")
  func noClock() {
    let meter = WorkMeter()
    meter.enter(.experts, prefill: false)
    meter.enter(nil)
    #expect(meter.decode == WorkTally())
    let odd = WorkMeter { [clock] in clock.now }
    odd.enter(.experts, prefill: false)
    clock.pass(-50)
    odd.enter(nil)
    #expect(odd.decode == WorkTally())
  }
}

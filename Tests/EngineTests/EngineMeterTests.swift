import Engine
import ModelGraph
import ModelSpec
import Scheduling
import Synchronization
import Tensors
import Testing

/// The parts of the work are told apart where they are computed.
@Suite struct EngineMeterTests {
  private let model: TinyModel

  init() throws { model = try TinyModel() }

  /// A clock on which a microsecond passes between two looks.
  private func meter() -> WorkMeter {
    let time = SharedInstant()
    return WorkMeter { time.next() }
  }

  private final class SharedInstant: Sendable {
    private let time = Mutex(ContinuousClock.now)
    func next() -> ContinuousClock.Instant {
      time.withLock {
        $0 += .microseconds(1)
        return $0
      }
    }
  }

  @Test("a step here: each layer's attention, router and experts, then the output; nothing is sent or awaited")
  func local() throws {
    let meter = meter()
    let bench = try EngineBench(model.path, meter: meter)
    bench.begin(1, .prefill, [entry(1, [3, 1, 4])])
    bench.drain()
    let times = meter.prefill.times
    let layers = UInt64(bench.spec.layers.count)
    #expect(times.attention == 1000 * layers && times.router == 1000 * layers && times.experts >= 1000 * layers)
    // From the last layer on the output is under way until somebody says otherwise.
    #expect(times.output == 1000)
    #expect(times.wire == 0 && times.waiting == 0 && meter.prefill.roundTrips == 0)
    #expect(meter.decode == WorkTally())
    #expect(bench.engine.awaitingPhase == nil)
    meter.enter(nil)
    #expect(meter.prefill.times.output == 2000)
  }

  @Test("experts elsewhere: sending is wire, each exchange is a round trip, and the engine says what it awaits")
  func remote() throws {
    let meter = meter()
    let bench = try EngineBench(model.path, meter: meter)
    bench.owner = { $0 < 2 ? 0 : 1 }
    bench.begin(1, .decode, [entry(1, [3])])
    bench.drain()
    try #require(bench.sent.count == 1)
    #expect(bench.engine.awaitingPhase == .decode)
    #expect(meter.decode.roundTrips == 1 && meter.decode.times.wire > 0 && meter.prefill == WorkTally())
    bench.begin(2, .prefill, [entry(2, [3, 1, 4, 1, 5])])
    bench.drain()
    #expect(meter.prefill.roundTrips == bench.engine.exchanges - 1)
    #expect(bench.engine.awaitingPhase == .decode)
  }

  @Test("rows of peers are experts' work and wire, of the phase they came in")
  func peers() throws {
    let host = try EngineBench(model.path)
    host.owner = { _ in 1 }
    host.begin(1, .decode, [entry(1, [3])])
    host.drain()
    let meter = meter()
    let experts = try EngineBench(model.path, stages: [], meter: meter)
    _ = try experts.sums(for: try #require(host.sent.first))
    #expect(meter.decode.times.experts == 1000)
    meter.enter(nil)
    #expect(meter.decode.times.wire == 1000 && meter.decode.times.attention == 0)
    #expect(meter.prefill == WorkTally() && experts.engine.awaitingPhase == nil)
  }
}

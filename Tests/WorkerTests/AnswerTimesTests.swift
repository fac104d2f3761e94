import Engine
import Scheduling
import Tensors
import Testing

@testable import Worker

/// Answer times that can be told something within an expectation.
private final class Times {
  var times = AnswerTimes()
  let start = ContinuousClock.now

  func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

  func part(_ step: Int, layer: Int = 0, part: Int = 0, phase: StepPhase = .decode) -> AnswerTimes.Part {
    AnswerTimes.Part(
      key: ExchangeKey(step: StepID(rawValue: UInt64(step)), phase: phase, pass: 0, layer: LayerIndex(layer)),
      part: part)
  }

  /// So many exchanges with a node, each answered after that time.
  func learn(_ node: Int, _ count: Int, takes milliseconds: Int, phase: StepPhase = .decode) {
    for step in 0..<count {
      let part = part(step, phase: phase)
      times.sent(part, to: node, rowCount: 3, canResend: true, at: at(0))
      _ = times.answered(part, by: node, at: at(milliseconds))
    }
  }

  func send(_ part: AnswerTimes.Part, to node: Int, canResend: Bool = true, at time: Int = 0) {
    times.sent(part, to: node, rowCount: 3, canResend: canResend, at: at(time))
  }

  func late(_ time: Int) -> [AnswerTimes.Part] { times.late(at: at(time)) }
  func answered(_ part: AnswerTimes.Part, by node: Int, at time: Int) -> Duration? {
    times.answered(part, by: node, at: at(time))?.time
  }
}

@Suite struct AnswerTimesTests {
  @Test("an answer is late by what the node usually takes, each is named once")
  func late() throws {
    let times = Times()
    times.learn(1, 100, takes: 10)
    times.learn(2, 100, takes: 100)
    times.send(times.part(500), to: 1)
    times.send(times.part(500, layer: 1), to: 2)
    #expect(times.late(19) == [])
    #expect(times.late(25) == [times.part(500)] && times.late(25) == [])
    #expect(times.late(199) == [])
    #expect(times.late(250) == [times.part(500, layer: 1)] && times.times.nextDeadline == nil)
    // The late answer itself is still counted when it comes.
    #expect(times.answered(times.part(500), by: 1, at: 300) == .milliseconds(300))
  }

  @Test("nothing is late while too little is known of a node, or when nobody else could answer")
  func patience() {
    let times = Times()
    times.learn(1, 31, takes: 10)
    times.send(times.part(500), to: 1)
    #expect(times.times.nextDeadline == nil && times.late(1_000_000) == [])
    times.learn(1, 2, takes: 10)
    times.send(times.part(501), to: 1, canResend: false)
    #expect(times.times.nextDeadline == nil)
    times.send(times.part(502), to: 1)
    #expect(times.times.nextDeadline != nil)
    times.send(times.part(503, phase: .prefill), to: 1)
    #expect(times.late(1_000_000) == [times.part(502)], "prompts take their own time")
  }

  @Test("one slow answer of a hundred does not make the next ones wait for long")
  func quantile() throws {
    let times = Times()
    times.learn(1, 1000, takes: 10)
    times.learn(1, 5, takes: 5000)
    times.send(times.part(5000), to: 1)
    #expect(times.late(25) == [times.part(5000)])
  }

  @Test("answers of others, of nothing, and given twice are not measured")
  func strangers() {
    let times = Times()
    times.send(times.part(1), to: 1)
    #expect(times.answered(times.part(1), by: 2, at: 5) == nil && times.answered(times.part(2), by: 1, at: 5) == nil)
    #expect(times.answered(times.part(1, part: 1), by: 1, at: 5) == nil)
    #expect(times.answered(times.part(1), by: 1, at: 5) == .milliseconds(5))
    #expect(times.answered(times.part(1), by: 1, at: 6) == nil)
  }

  @Test("what was sent to a node that is gone is not late")
  func forget() {
    let times = Times()
    for node in 1...2 { times.learn(node, 100, takes: 10) }
    times.send(times.part(500), to: 1)
    times.send(times.part(501), to: 2)
    times.times.forget { _, node in node == 1 }
    #expect(times.late(1000) == [times.part(501)])
  }

  @Test("the late parts come in the order of their steps, layers and numbers")
  func order() {
    let times = Times()
    times.learn(1, 100, takes: 10)
    let parts = (0..<60).map { times.part(500 + $0 / 20, layer: $0 / 5 % 4, part: $0 % 5) }
    for part in parts.reversed() { times.send(part, to: 1) }
    #expect(times.late(1000) == parts)
  }

  @Test("answers that never come take no more memory than so many steps")
  func bounded() {
    let times = Times()
    times.learn(1, 100, takes: 10)
    for step in 0..<20_000 {
      times.send(times.part(step), to: 1, canResend: step % 3 == 0, at: step)
      _ = times.late(step)
      if step == 15_000 { times.send(times.part(step, part: 1), to: 1, at: 1 << 40) }
    }
    let count = Mirror(reflecting: times.times).children.first { $0.label == "open" }.map {
      Mirror(reflecting: $0.value)
    }
    #expect((count?.children.count ?? .max) <= 1024)
  }
}

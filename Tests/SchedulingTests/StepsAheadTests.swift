import Scheduling
import Tensors
import Testing

/// Steps that are handed out before the tokens that they begin with are known.
@Suite("Scheduler running ahead")
struct StepsAheadTests {
  private func configuration(stages: Int = 1, sequences: Int = 4, chunk: Int = 64) -> SchedulerConfiguration {
    SchedulerConfiguration(
      stageCount: stages, sequences: sequences, context: 256, vocabularySize: 100, prefillChunk: chunk)
  }

  private func request(_ id: UInt64, tokens: Int? = 40, ends: Set<TokenID> = []) -> SequenceRequest {
    SequenceRequest(
      id: SequenceID(rawValue: id), prompt: [1, 2, 3], sampling: SamplingParameters(), maxTokens: tokens,
      endTokens: ends)
  }

  /// A driver whose sequences have their first token.
  private func decoding(_ requests: [SequenceRequest], stages: Int = 1) throws -> SchedulerDriver {
    var driver = SchedulerDriver(configuration(stages: stages), seed: 1)
    for request in requests { try driver.admit(request) }
    try driver.start()
    while !driver.inFlight.isEmpty { try driver.complete(at: 0) }
    return driver
  }

  private func finish(_ driver: inout SchedulerDriver) throws {
    while !driver.scheduler.isIdle {
      try driver.start()
      try driver.complete(at: 0)
    }
    try driver.checkOutcome()
  }

  @Test("with one stage a second step follows the first, for as long as its sequences go on")
  func length() throws {
    var driver = try decoding([request(1, tokens: 2), request(2, tokens: 4), request(3, tokens: 5)])
    var entries: [[Int]] = []
    while driver.ended.count < 3 {
      try driver.start()
      entries.append(driver.inFlight.map(\.entries.count))
      try driver.complete(at: 0)
    }
    #expect(entries == [[3, 2], [2, 2], [2, 1], [1]])
    try finish(&driver)
    #expect(driver.stepsAhead == 3)
  }

  @Test("several stages have their steps from other sequences")
  func stages() throws {
    var driver = try decoding([request(1), request(2)], stages: 2)
    try finish(&driver)
    #expect(driver.stepsAhead == 0)
  }

  @Test("a prompt that came has its turn after the steps in flight")
  func prompts() throws {
    var driver = try decoding([request(1)])
    try driver.start()
    #expect(driver.inFlight.count == 2)
    try driver.admit(request(2))
    try driver.complete(at: 0)
    #expect(try driver.start() == 0)
    try driver.complete(at: 0)
    try driver.start()
    #expect(driver.inFlight.map(\.phase) == [.prefill])
    try finish(&driver)
  }

  @Test(
    "a prompt that waits for room has its turn after the steps in flight, however that room comes", arguments: 0..<3)
  func room(kind: Int) throws {
    let end = SchedulerDriver.answer(to: request(1), configuration())[1]
    var driver = SchedulerDriver(configuration(sequences: 2), seed: 1)
    try driver.admit(request(1, tokens: kind == 0 ? 2 : 40, ends: kind == 1 ? [end] : []))
    try driver.admit(request(2))
    try driver.start()
    try driver.complete(at: 0)
    try driver.admit(request(3))
    // The first of these steps ends the first sequence: by its length, by a token, or because it is cancelled meanwhile.
    try driver.start()
    #expect(driver.inFlight.count == (kind == 0 ? 1 : 2))
    if kind == 2 { try driver.cancel(SequenceID(rawValue: 1)) }
    while !driver.inFlight.isEmpty {
      #expect(driver.scheduler.waitingCount == 1)
      try driver.complete(at: 0)
      if !driver.inFlight.isEmpty { #expect(try driver.start() == 0) }
    }
    try driver.start()
    #expect(driver.inFlight.map(\.phase) == [.prefill] && driver.scheduler.waitingCount == 0)
    try finish(&driver)
  }

  @Test("a prompt for which there is no room holds nobody up")
  func noRoom() throws {
    var driver = SchedulerDriver(configuration(sequences: 1), seed: 1)
    try driver.admit(request(1))
    try driver.admit(request(2))
    try driver.start()
    try driver.complete(at: 0)
    try driver.start()
    #expect(driver.inFlight.count == 2 && driver.scheduler.waitingCount == 1)
    try finish(&driver)
  }

  @Test("a sequence that ends under a step that ran ahead is released when that is through")
  func ends() throws {
    let end = SchedulerDriver.answer(to: request(1), configuration())[1]
    var driver = try decoding([request(1, ends: [end]), request(2)])
    let ended = SequenceID(rawValue: 1)
    try driver.start()
    #expect(driver.inFlight.map(\.entries.count) == [2, 2])
    try driver.complete(at: 0)
    #expect(driver.ended == [ended: .stop])
    try driver.start()
    #expect(driver.inFlight.map(\.entries.count) == [2, 1] && driver.inFlight[1].released.isEmpty)
    try driver.complete(at: 0)
    try driver.start()
    #expect(driver.inFlight.map(\.released) == [[], [ended]])
    try finish(&driver)
  }

  @Test("only an entry of a sequence that has ended may come to nothing")
  func nothing() throws {
    var scheduler = Scheduler(configuration())
    try scheduler.admit(request(1))
    func step() throws -> StepBatch {
      let next = scheduler.next()
      return try #require(next)
    }
    func result(_ position: Int, _ outcome: StepResult.Outcome? = nil) -> StepResult {
      StepResult(
        sequence: SequenceID(rawValue: 1), position: position, outcome: outcome ?? .token(1, logProbability: 0))
    }
    _ = try scheduler.completed(try step().id, results: [result(3)])
    let (first, second) = (try step(), try step())
    #expect(second.follows == first.id && scheduler.next() == nil)
    #expect(throws: SchedulingError.self) { try scheduler.completed(second.id, results: [result(5)]) }
    #expect(throws: SchedulingError.self) {
      try scheduler.completed(first.id, results: [result(3, StepResult.Outcome.none)])
    }
    _ = try scheduler.completed(first.id, results: [result(4)])
    #expect(throws: SchedulingError.self) {
      try scheduler.completed(second.id, results: [result(4, StepResult.Outcome.none)])
    }
    #expect(scheduler.cancel(SequenceID(rawValue: 1)) == .ended(SequenceID(rawValue: 1), .cancelled))
    #expect(throws: SchedulingError.self) { try scheduler.completed(second.id, results: [result(9)]) }
    #expect(try scheduler.completed(second.id, results: [result(4, StepResult.Outcome.none)]).isEmpty)
    #expect(scheduler.isEmpty && !scheduler.isIdle)
  }

  @Test("a step that fails takes the one that follows it along, not the other way round")
  func failures() throws {
    var driver = try decoding([request(1), request(2)])
    let id = SequenceID(rawValue: 1)
    try driver.start()
    try driver.interrupt(at: 1)
    #expect(driver.inFlight.count == 1 && driver.scheduler.stepsInFlight == 1)
    #expect(driver.scheduler.interruptions(of: id) == 0)
    // Nothing overtakes what is to run alone now.
    #expect(try driver.start() == 0)
    try driver.complete(at: 0)
    try driver.start()
    #expect(driver.inFlight.count == 1)
    try driver.complete(at: 0)
    try driver.start()
    #expect(driver.inFlight.count == 2)
    try driver.interrupt(at: 0)
    #expect(driver.inFlight.isEmpty && driver.scheduler.stepsInFlight == 0)
    #expect(driver.scheduler.interruptions(of: id) == 1)
    try finish(&driver)
  }

  @Test("cancelling under a step that ran ahead ends at once; the steps in flight run on")
  func cancelling() throws {
    var driver = try decoding([request(1), request(2)])
    try driver.start()
    try driver.cancel(SequenceID(rawValue: 1))
    #expect(driver.ended == [SequenceID(rawValue: 1): .cancelled])
    try driver.complete(at: 0)
    #expect(driver.answers[SequenceID(rawValue: 1)]?.count == 1 && driver.scheduler.activeCount == 2)
    try driver.complete(at: 0)
    #expect(driver.scheduler.activeCount == 1)
    try finish(&driver)
  }
}

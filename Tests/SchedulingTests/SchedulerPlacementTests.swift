import Scheduling
import Tensors
import Testing

@Suite("Scheduler across placements")
struct SchedulerPlacementTests {
  private func configuration(stages: Int = 1, sequences: Int = 4, context: Int = 256) -> SchedulerConfiguration {
    SchedulerConfiguration(
      stageCount: stages, sequences: sequences, context: context, vocabularySize: 100, prefillChunk: 64)
  }

  private func request(
    _ id: UInt64, prompt: Int, tokens: Int? = 40, ends: Set<TokenID> = [], logitRows: Int = 0
  ) -> SequenceRequest {
    SequenceRequest(
      id: SequenceID(rawValue: id), prompt: (0..<prompt).map { TokenID(UInt32($0 % 100)) },
      sampling: SamplingParameters(), maxTokens: tokens, endTokens: ends, logitRows: logitRows)
  }

  private func finish(_ driver: inout SchedulerDriver) throws {
    while !driver.scheduler.isIdle {
      try driver.start()
      try driver.complete(at: 0)
    }
    try driver.checkOutcome()
  }

  private func run(_ driver: inout SchedulerDriver, steps: Int) throws {
    for _ in 0..<steps {
      try driver.start()
      try driver.complete(at: 0)
    }
  }

  @Test("after reopening, the next entry brings its opening and nothing is computed twice")
  func reopening() throws {
    var driver = SchedulerDriver(configuration(), seed: 1)
    try driver.admit(request(1, prompt: 10))
    try run(&driver, steps: 5)
    try driver.moveStages(to: 1)
    try driver.start()
    let entry = driver.inFlight[0].entries[0]
    #expect(entry.position == 14 && entry.rowCount == 1 && entry.opening?.history.count == 15)
    try finish(&driver)
  }

  @Test("the number of stages is that of the steps in flight, and logits in flight stay within their bound")
  func stageCount() throws {
    var driver = SchedulerDriver(configuration(sequences: 6), seed: 1)
    for id in UInt64(1)...6 { try driver.admit(request(id, prompt: 2)) }
    try run(&driver, steps: 2)
    let rows = driver.scheduler.configuration.logitRowsPerStep
    try driver.moveStages(to: 3)
    #expect(driver.scheduler.configuration.logitRowsPerStep == rows / 3)
    try run(&driver, steps: 3)
    try driver.start()
    #expect(driver.inFlight.count == 3)
    try driver.moveStages(to: 0)
    #expect(driver.scheduler.configuration.stageCount == 1)
    #expect(driver.scheduler.configuration.logitRowsPerStep == rows)
    try finish(&driver)
    var fixed = configuration()
    fixed.logitRowsPerStep = 7
    var scheduler = Scheduler(fixed)
    scheduler.setStageCount(4)
    #expect(scheduler.configuration.logitRowsPerStep == 7)
  }

  @Test("fewer sequences: the newest wait again before all others, and the step that frees them runs alone")
  func shrinking() throws {
    var driver = SchedulerDriver(configuration(stages: 3), seed: 1)
    for id in UInt64(1)...5 { try driver.admit(request(id, prompt: 3)) }
    for _ in 0..<6 { try run(&driver, steps: 1) }
    while !driver.inFlight.isEmpty { try driver.complete(at: 0) }
    #expect(driver.scheduler.activeCount == 4 && driver.scheduler.waitingCount == 1)
    try driver.resize(sequences: 2)
    #expect(driver.scheduler.activeCount == 2 && driver.scheduler.waitingCount == 3)
    try driver.start()
    #expect(driver.inFlight.count == 1)
    #expect(driver.inFlight[0].released == [SequenceID(rawValue: 3), SequenceID(rawValue: 4)])
    #expect(Set(driver.inFlight[0].entries.map(\.sequence.rawValue)).isSubset(of: [1, 2]))
    try driver.complete(at: 0)
    #expect(driver.caches.keys.sorted().map(\.rawValue) == [1, 2])
    #expect(driver.scheduler.blocksFree >= 0)
    while driver.scheduler.activeCount == 2, driver.ended.isEmpty { try run(&driver, steps: 1) }
    while driver.caches[SequenceID(rawValue: 3)] == nil { try run(&driver, steps: 1) }
    #expect(driver.caches[SequenceID(rawValue: 5)] == nil)
    try finish(&driver)
  }

  @Test("more sequences: those that wait join at once")
  func growing() throws {
    var driver = SchedulerDriver(configuration(sequences: 1), seed: 1)
    for id in UInt64(1)...3 { try driver.admit(request(id, prompt: 3)) }
    try run(&driver, steps: 2)
    #expect(driver.scheduler.waitingCount == 2)
    try driver.resize(sequences: 3)
    try run(&driver, steps: 2)
    #expect(driver.scheduler.waitingCount == 0 && driver.scheduler.activeCount == 3)
    try finish(&driver)
  }

  @Test("a sequence made to wait can be cancelled, and one taken in again in the step that frees it starts anew")
  func freedAndTaken() throws {
    var driver = SchedulerDriver(configuration(sequences: 2), seed: 1)
    for id in UInt64(1)...2 { try driver.admit(request(id, prompt: 3)) }
    try run(&driver, steps: 4)
    try driver.resize(sequences: 1)
    try driver.resize(sequences: 2)
    try driver.start()
    if driver.inFlight[0].entries.allSatisfy({ $0.sequence.rawValue != 2 }) {
      try driver.complete(at: 0)
      try driver.start()
    }
    let entry = try #require(driver.inFlight[0].entries.first { $0.sequence.rawValue == 2 })
    #expect(entry.position == 0 && entry.rowCount > 3)
    try driver.complete(at: 0)
    try driver.resize(sequences: 1)
    try driver.cancel(SequenceID(rawValue: 2))
    try finish(&driver)
  }

  // MARK: - Interruptions

  @Test("interruptions in a row are counted, until the sequence gets further than ever before")
  func interruptions() throws {
    let id = SequenceID(rawValue: 1)
    var driver = SchedulerDriver(configuration(), seed: 1)
    try driver.admit(request(1, prompt: 100))
    #expect(driver.scheduler.interruptions(of: id) == 0)
    try run(&driver, steps: 3)
    for count in 1...3 {
      try driver.start()
      try driver.interrupt(at: 0)
      #expect(driver.scheduler.interruptions(of: id) == count)
    }
    // Computing anew what was there is no progress; nor is a step that failed for another reason an interruption.
    try driver.loseHosts()
    try run(&driver, steps: 1)
    try driver.start()
    try driver.lose(at: 0)
    #expect(driver.scheduler.interruptions(of: id) == 3)
    try driver.resize(sequences: 1)
    #expect(driver.scheduler.interruptions(of: id) == 3)
    try run(&driver, steps: 1)
    #expect(driver.scheduler.interruptions(of: id) == 0)
    driver.scheduler.interrupted(StepID(rawValue: 999))
    #expect(driver.scheduler.interruptions(of: SequenceID(rawValue: 77)) == 0)
    try finish(&driver)
  }

  // MARK: - Continued answers

  @Test("a continued sequence computes prompt and answer anew, and the opening brings the history of both")
  func continuation() throws {
    let request = request(1, prompt: 10, tokens: 30)
    let answer = SchedulerDriver.answer(to: request, configuration())
    for count in 0..<30 {
      var scheduler = Scheduler(configuration())
      #expect(try scheduler.admit(request, answer: Array(answer.prefix(count))) == nil)
      let next = scheduler.next()
      let entry = try #require(next?.entries.first)
      #expect(entry.position == 0 && entry.tokens == request.prompt + answer.prefix(count) && entry.wanted == .token)
      #expect(entry.opening?.history == Array((request.prompt + answer.prefix(count)).suffix(64)))
      let result = StepResult(
        sequence: request.id, position: 10 + count, outcome: .token(answer[count], logProbability: -1))
      let events = try scheduler.completed(StepID(rawValue: 1), results: [result])
      #expect(events.count == (count == 29 ? 2 : 1))
    }
  }

  @Test("an answer that is complete already says why, and takes nothing in")
  func complete() throws {
    var scheduler = Scheduler(configuration(context: 16))
    #expect(try scheduler.admit(request(1, prompt: 10, tokens: 3), answer: [1, 2, 3]) == .length)
    #expect(try scheduler.admit(request(2, prompt: 10, tokens: nil), answer: [1, 2, 3, 4, 5, 6]) == .length)
    #expect(try scheduler.admit(request(3, prompt: 10, ends: [9]), answer: [1, 9]) == .stop)
    #expect(try scheduler.admit(request(4, prompt: 10, tokens: 2, ends: [9]), answer: [1, 9]) == .stop)
    #expect(scheduler.isIdle)
    #expect(try scheduler.admit(request(5, prompt: 10, ends: [9]), answer: [1, 8]) == nil)
    #expect(try scheduler.admit(request(6, prompt: 10, tokens: 0), answer: []) == nil)
    #expect(scheduler.waitingCount == 2)
  }

  @Test("answers that the request could not have had are refused with their reason")
  func impossibleAnswers() {
    var scheduler = Scheduler(configuration(context: 16))
    func code(_ request: SequenceRequest, _ answer: [TokenID]) -> SchedulingError.Code? {
      do {
        _ = try scheduler.admit(request, answer: answer)
        return nil
      } catch { return error.code }
    }
    #expect(code(request(1, prompt: 10, tokens: 3), [1, 2, 3, 4]) == .badRequest)
    #expect(code(request(1, prompt: 10, tokens: nil), [1, 2, 3, 4, 5, 6, 7]) == .badRequest)
    #expect(code(request(1, prompt: 10, tokens: 0), [1]) == .badRequest)
    #expect(code(request(1, prompt: 10, logitRows: 2), [1]) == .badRequest)
    #expect(code(request(1, prompt: 10, ends: [9]), [9, 1]) == .badRequest)
    #expect(code(request(1, prompt: 10), [100]) == .unknownToken)
    #expect(code(request(1, prompt: 17), [1]) == .promptTooLong)
    #expect(scheduler.isIdle)
  }
}

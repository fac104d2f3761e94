import Scheduling
import Tensors
import Testing

@Suite("Scheduler")
struct SchedulerTests {
  private func configuration(
    stages: Int = 1, sequences: Int = 4, context: Int = 256, chunk: Int = 8
  ) -> SchedulerConfiguration {
    SchedulerConfiguration(
      stageCount: stages, sequences: sequences, context: context, vocabularySize: 100, prefillChunk: chunk)
  }

  private func request(_ id: UInt64, prompt: Int, tokens: Int? = 4, logitRows: Int = 0) -> SequenceRequest {
    SequenceRequest(
      id: SequenceID(rawValue: id), prompt: (0..<prompt).map { TokenID(UInt32($0 % 100)) },
      sampling: SamplingParameters(), maxTokens: tokens, logitRows: logitRows)
  }

  @Test("a prompt is cut into chunks; only the last one wants a token and brings the opening")
  func chunks() throws {
    var driver = SchedulerDriver(configuration(), seed: 1)
    try driver.admit(request(1, prompt: 19))
    var entries: [StepEntry] = []
    for _ in 0..<4 {
      try driver.start()
      entries += driver.inFlight[0].entries
      try driver.complete(at: 0)
    }
    #expect(entries.map(\.position) == [0, 8, 16, 19])
    #expect(entries.map(\.rowCount) == [8, 8, 3, 1])
    #expect(entries.map(\.wanted) == [.nothing, .nothing, .token, .token])
    #expect(entries.map { $0.opening != nil } == [false, false, true, false])
    #expect(entries[2].opening?.history.count == 19)
  }

  @Test("the history of an opening is cut to the penalty window")
  func historyWindow() throws {
    var driver = SchedulerDriver(configuration(chunk: 512), seed: 1)
    try driver.admit(request(1, prompt: 200))
    try driver.start()
    #expect(driver.inFlight[0].entries[0].opening?.history.count == 64)
  }

  @Test("a chunk is shared by several short prompts")
  func sharedChunk() throws {
    var driver = SchedulerDriver(configuration(), seed: 1)
    for id in 1...3 { try driver.admit(request(UInt64(id), prompt: 3)) }
    try driver.start()
    #expect(driver.inFlight[0].entries.map(\.rowCount) == [3, 3, 2])
  }

  @Test("one stage takes all ready sequences, two stages share them out", arguments: [(1, [4, 4]), (2, [2, 2])])
  func shares(stages: Int, expected: [Int]) throws {
    var driver = SchedulerDriver(configuration(stages: stages, chunk: 512), seed: 1)
    for id in 1...4 { try driver.admit(request(UInt64(id), prompt: 2, tokens: 50)) }
    for _ in 0..<6 {
      try driver.start()
      try driver.complete(at: 0)
    }
    while !driver.inFlight.isEmpty { try driver.complete(at: 0) }
    try driver.start()
    #expect(driver.inFlight.map(\.entries.count) == expected)
  }

  @Test("the next waiting sequence takes the place of an ended one in the step that tells of its end")
  func succession() throws {
    var driver = SchedulerDriver(configuration(sequences: 1), seed: 1)
    try driver.admit(request(1, prompt: 2, tokens: 1))
    try driver.admit(request(2, prompt: 2, tokens: 1))
    try driver.start()
    #expect(driver.scheduler.waitingCount == 1)
    try driver.complete(at: 0)
    try driver.start()
    #expect(driver.inFlight[0].released == [SequenceID(rawValue: 1)])
    #expect(driver.inFlight[0].entries.map(\.sequence) == [SequenceID(rawValue: 2)])
  }

  @Test("what ended last is released by a step without entries, unless the caller does not want one yet")
  func releaseOnly() throws {
    var driver = SchedulerDriver(configuration(), seed: 1)
    try driver.admit(request(1, prompt: 2, tokens: 1))
    try driver.start()
    try driver.complete(at: 0)
    #expect(driver.scheduler.next(releasing: false) == nil)
    let next = driver.scheduler.next()
    let batch = try #require(next)
    #expect(batch.entries.isEmpty && batch.released == [SequenceID(rawValue: 1)])
    #expect(try driver.scheduler.completed(batch.id, results: []).isEmpty)
    #expect(driver.scheduler.isIdle)
  }

  @Test("logits of the last rows come over several chunks, no more in a step than fit")
  func logits() throws {
    var limits = configuration()
    limits.logitRowsPerStep = 3
    var driver = SchedulerDriver(limits, seed: 1)
    try driver.admit(request(1, prompt: 20, tokens: nil, logitRows: 10))
    while !driver.scheduler.isIdle {
      try driver.start()
      try driver.complete(at: 0)
    }
    #expect(driver.logits[SequenceID(rawValue: 1)] == Array(10..<20))
    #expect(driver.answers.isEmpty)
  }

  @Test("the context ends an answer")
  func contextLimit() throws {
    var driver = SchedulerDriver(configuration(context: 12), seed: 1)
    try driver.admit(request(1, prompt: 5, tokens: nil))
    while !driver.scheduler.isIdle {
      try driver.start()
      try driver.complete(at: 0)
    }
    #expect(driver.answers[SequenceID(rawValue: 1)]?.count == 7)
    #expect(driver.ended[SequenceID(rawValue: 1)] == .length)
  }

  @Test("requests that cannot be met are refused with their reason")
  func refusals() {
    var scheduler = Scheduler(configuration(context: 16))
    func code(_ request: SequenceRequest) -> SchedulingError.Code? {
      do {
        try scheduler.admit(request)
        return nil
      } catch { return error.code }
    }
    #expect(code(request(1, prompt: 0)) == .emptyPrompt)
    #expect(code(request(2, prompt: 17)) == .promptTooLong)
    #expect(code(request(3, prompt: 16)) == .promptTooLong)
    #expect(code(request(4, prompt: 16, tokens: 0)) == nil)
    #expect(code(request(5, prompt: 4, tokens: -1)) == .badRequest)
    #expect(code(request(6, prompt: 4, logitRows: 5)) == .badRequest)
    let foreign = SequenceRequest(
      id: SequenceID(rawValue: 7), prompt: [100], sampling: SamplingParameters())
    #expect(code(foreign) == .unknownToken)
  }

  @Test("a full queue refuses")
  func queueLimit() throws {
    var limits = configuration()
    limits.waitingLimit = 2
    var scheduler = Scheduler(limits)
    try scheduler.admit(request(1, prompt: 1))
    try scheduler.admit(request(2, prompt: 1))
    #expect(throws: SchedulingError.self) { try scheduler.admit(request(3, prompt: 1)) }
  }

  @Test("results that do not answer the step are refused and change nothing")
  func lyingHost() throws {
    var scheduler = Scheduler(configuration())
    try scheduler.admit(request(1, prompt: 3))
    let next = scheduler.next()
    let batch = try #require(next)
    let before = scheduler.stepsInFlight
    func result(_ id: UInt64, _ position: Int, _ outcome: StepResult.Outcome) -> StepResult {
      StepResult(sequence: SequenceID(rawValue: id), position: position, outcome: outcome)
    }
    let lies: [[StepResult]] = [
      [], [result(2, 3, .token(1, logProbability: 0))], [result(1, 2, .token(1, logProbability: 0))],
      [result(1, 3, .token(100, logProbability: 0))], [result(1, 3, .token(1, logProbability: .nan))],
      [result(1, 3, .none)], [result(1, 3, .logits(rows: 1, values: []))],
      [result(1, 3, .token(1, logProbability: 0)), result(1, 3, .token(1, logProbability: 0))],
    ]
    for lie in lies {
      #expect(throws: SchedulingError.self) { try scheduler.completed(batch.id, results: lie) }
    }
    #expect(throws: SchedulingError.self) { try scheduler.completed(StepID(rawValue: 99), results: []) }
    #expect(scheduler.stepsInFlight == before)
    let events = try scheduler.completed(batch.id, results: [result(1, 3, .token(1, logProbability: -2))])
    #expect(events == [.token(SequenceID(rawValue: 1), 1, logProbability: -2)])
  }

  @Test("wrong logits sizes are refused")
  func wrongLogits() throws {
    var scheduler = Scheduler(configuration())
    try scheduler.admit(request(1, prompt: 3, logitRows: 2))
    let next = scheduler.next()
    let batch = try #require(next)
    for count in [0, 100, 199, 201] {
      let result = StepResult(
        sequence: SequenceID(rawValue: 1), position: 2,
        outcome: .logits(rows: 2, values: Array(repeating: 0, count: count)))
      #expect(throws: SchedulingError.self) { try scheduler.completed(batch.id, results: [result]) }
    }
  }

  @Test("after a host was replaced, prompt and answer are computed anew and the answer goes on")
  func rebuild() throws {
    var driver = SchedulerDriver(configuration(chunk: 64), seed: 1)
    try driver.admit(request(1, prompt: 10, tokens: 8))
    for _ in 0..<4 {
      try driver.start()
      try driver.complete(at: 0)
    }
    try driver.start()
    try driver.loseHosts()
    try driver.start()
    let entry = driver.inFlight[0].entries[0]
    #expect(driver.inFlight[0].phase == .prefill)
    #expect(entry.position == 0 && entry.rowCount == 14 && entry.opening?.history.count == 14)
    while !driver.scheduler.isIdle {
      try driver.complete(at: 0)
      try driver.start()
    }
    try driver.checkOutcome()
  }
}

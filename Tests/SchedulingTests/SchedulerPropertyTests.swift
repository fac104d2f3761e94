import Scheduling
import Tensors
import Testing

@Suite("Scheduler under random load")
struct SchedulerPropertyTests {
  @Test("every sequence gets exactly its tokens, whatever is cancelled, lost or rebuilt", arguments: 0..<400)
  func randomLoad(seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed) &* 7919 &+ 1)
    var configuration = SchedulerConfiguration(
      stageCount: Int.random(in: 1...4, using: &random), sequences: Int.random(in: 1...6, using: &random),
      context: Int.random(in: 8...200, using: &random), vocabularySize: Int.random(in: 2...40, using: &random),
      prefillChunk: [1, 7, 16, 64, 512].randomElement(using: &random) ?? 1)
    configuration.logitRowsPerStep = Int.random(in: 1...20, using: &random)
    var driver = SchedulerDriver(configuration, seed: UInt64(seed))
    var pending = (1...Int.random(in: 1...24, using: &random)).map { request($0, configuration, &random) }
    let isRough = seed % 3 == 0
    var rounds = 0
    while !pending.isEmpty || !driver.scheduler.isIdle {
      rounds += 1
      try #require(rounds < 40_000, "seed \(seed): no end in sight")
      if let next = pending.last, random.chance(30) {
        pending.removeLast()
        try driver.admit(next)
      }
      if random.chance(90) { try driver.start() }
      if !driver.inFlight.isEmpty, random.chance(70) {
        let index = Int.random(in: 0..<driver.inFlight.count, using: &random)
        if isRough, random.chance(seed % 2 == 0 ? 5 : 30) {
          try driver.lose(at: index)
        } else {
          try driver.complete(at: index)
        }
      }
      if isRough, random.chance(2), let id = driver.requests.keys.sorted().randomElement(using: &random) {
        try driver.cancel(id)
      }
      if isRough, random.chance(1) { try driver.loseHosts() }
    }
    try driver.checkOutcome()
    #expect(driver.requests.count == driver.ended.count)
  }

  @Test(
    "every sequence gets exactly its tokens, whatever is interrupted, resized, moved, rebuilt or restarted",
    arguments: 0..<400)
  func elasticLoad(seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed) &* 104_729 &+ 3)
    var configuration = SchedulerConfiguration(
      stageCount: Int.random(in: 1...4, using: &random), sequences: Int.random(in: 1...6, using: &random),
      context: Int.random(in: 8...200, using: &random), vocabularySize: Int.random(in: 2...40, using: &random),
      prefillChunk: [1, 7, 16, 64, 512].randomElement(using: &random) ?? 1)
    configuration.logitRowsPerStep = Int.random(in: 1...20, using: &random)
    var driver = SchedulerDriver(configuration, seed: UInt64(seed))
    var pending = (1...Int.random(in: 1...16, using: &random)).map { request($0, configuration, &random) }
    var rounds = 0
    while !pending.isEmpty || !driver.scheduler.isIdle {
      rounds += 1
      try #require(rounds < 40_000, "seed \(seed): no end in sight")
      if let next = pending.last, random.chance(30) {
        pending.removeLast()
        try driver.admit(next)
      }
      if random.chance(90) { try driver.start() }
      if !driver.inFlight.isEmpty, random.chance(70) {
        let index = Int.random(in: 0..<driver.inFlight.count, using: &random)
        if random.chance(10) { try driver.interrupt(at: index) } else { try driver.complete(at: index) }
      }
      switch Int.random(in: 0..<200, using: &random) {
      case 0..<4: try driver.resize(sequences: Int.random(in: 1...6, using: &random))
      case 4..<7: try driver.moveStages(to: Int.random(in: 1...4, using: &random))
      case 7: try driver.loseHosts()
      case 8 where seed % 4 == 0: try driver.restart()
      case 9:
        if let id = driver.requests.keys.sorted().randomElement(using: &random) { try driver.cancel(id) }
      default: break
      }
    }
    try driver.checkOutcome()
    #expect(driver.requests.count == driver.ended.count)
  }

  private func request(
    _ number: Int, _ configuration: SchedulerConfiguration, _ random: inout SplitMix
  ) -> SequenceRequest {
    let vocabulary = UInt32(configuration.vocabularySize)
    let prompt = (0..<Int.random(in: 1..<configuration.context, using: &random)).map { _ in
      TokenID(UInt32.random(in: 0..<vocabulary, using: &random))
    }
    var sampling = SamplingParameters()
    sampling.penaltyWindow = [0, 5, 64].randomElement(using: &random) ?? 0
    let kind = Int.random(in: 0..<10, using: &random)
    return SequenceRequest(
      id: SequenceID(rawValue: UInt64(number)), prompt: prompt, sampling: sampling,
      maxTokens: kind < 3 ? nil : Int.random(in: 0...30, using: &random),
      endTokens: kind % 2 == 0 ? [TokenID(UInt32.random(in: 0..<vocabulary, using: &random))] : [],
      logitRows: kind == 9 ? Int.random(in: 1...prompt.count, using: &random) : 0)
  }

  @Test("with endless prompts waiting, a generating sequence keeps its turn, and the prompts theirs")
  func noStarvation() throws {
    let configuration = SchedulerConfiguration(
      stageCount: 1, sequences: 4, context: 600, vocabularySize: 50, prefillChunk: 16)
    var driver = SchedulerDriver(configuration, seed: 1)
    func long(_ id: UInt64, prompt: Int, tokens: Int) -> SequenceRequest {
      SequenceRequest(
        id: SequenceID(rawValue: id), prompt: Array(repeating: 3, count: prompt), sampling: SamplingParameters(),
        maxTokens: tokens)
    }
    try driver.admit(long(1, prompt: 1, tokens: 200))
    for id in 2..<20 { try driver.admit(long(UInt64(id), prompt: 512, tokens: 1)) }
    var phases: [StepPhase] = []
    for _ in 0..<200 {
      try driver.start()
      phases.append(contentsOf: driver.inFlight.map(\.phase))
      try driver.complete(at: 0)
    }
    #expect(phases.count { $0 == .decode } >= 95)
    #expect(phases.count { $0 == .prefill } >= 95)
  }
}

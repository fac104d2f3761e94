import Scheduling
import Tensors
import Testing

/// Plays the hosts and the users of a scheduler: keeps its own books of the KV caches, answers steps with tokens that
/// are a function of the history, and checks every step against the rules.
struct SchedulerDriver {
  var scheduler: Scheduler
  var random: SplitMix
  /// What a host keeps of each sequence: the tokens at its cached positions.
  private(set) var caches: [SequenceID: [TokenID]] = [:]
  /// Sequences the last host can sample for, with the tokens it counts penalties over.
  private(set) var histories: [SequenceID: [TokenID]] = [:]
  /// What it sampled last of each sequence, and at which position.
  private var sampled: [SequenceID: (position: Int, token: TokenID)] = [:]
  /// Steps handed out before the one before them was through.
  private(set) var stepsAhead = 0
  private(set) var inFlight: [StepBatch] = []
  private(set) var requests: [SequenceID: SequenceRequest] = [:]
  private(set) var answers: [SequenceID: [TokenID]] = [:]
  private(set) var logits: [SequenceID: [Int]] = [:]
  private(set) var ended: [SequenceID: EndReason] = [:]
  /// Steps started since a sequence was last part of one, while it could have been.
  private var seen: Set<StepID> = []

  init(_ configuration: SchedulerConfiguration, seed: UInt64) {
    scheduler = Scheduler(configuration)
    random = SplitMix(seed: seed)
  }

  /// The token after a history: any function of all of it.
  static func token(after history: [TokenID], vocabulary: Int) -> TokenID {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for token in history { hash = (hash ^ UInt64(token.rawValue)) &* 0x100_0000_01B3 }
    return TokenID(UInt32((hash >> 17) % UInt64(vocabulary)))
  }

  /// The answer a request must get.
  static func answer(to request: SequenceRequest, _ configuration: SchedulerConfiguration) -> [TokenID] {
    guard request.logitRows == 0 else { return [] }
    var history = request.prompt
    let room = configuration.context - request.prompt.count
    for _ in 0..<min(room, request.maxTokens ?? room) {
      let next = token(after: history, vocabulary: configuration.vocabularySize)
      history.append(next)
      if request.endTokens.contains(next) { break }
    }
    return Array(history.dropFirst(request.prompt.count))
  }

  mutating func admit(_ request: SequenceRequest) throws {
    try scheduler.admit(request)
    requests[request.id] = request
  }

  /// Starts whatever may be started; returns how many steps that was.
  @discardableResult
  mutating func start() throws -> Int {
    var count = 0
    while let batch = scheduler.next() {
      count += 1
      try check(batch)
      inFlight.append(batch)
    }
    return count
  }

  private mutating func check(_ batch: StepBatch) throws {
    let configuration = scheduler.configuration
    #expect(seen.insert(batch.id).inserted)
    if batch.follows != nil { return checkAhead(batch) }
    #expect(inFlight.count < configuration.stageCount)
    let busy = Set(inFlight.flatMap { $0.entries.map(\.sequence) })
    #expect(Set(batch.entries.map(\.sequence)).count == batch.entries.count)
    for entry in batch.entries {
      #expect(!busy.contains(entry.sequence), "a sequence is in flight twice")
      #expect(entry.tokens.count == entry.rowCount && entry.rowCount >= 1)
      #expect(ended[entry.sequence] == nil)
      #expect(entry.position + entry.rowCount <= configuration.context)
      if batch.phase == .decode { #expect(entry.rowCount == 1 && entry.wanted == .token) }
    }
    if batch.phase == .prefill { #expect(batch.rowCount <= configuration.prefillChunk) }
    let logitRows = batch.entries.reduce(0) { sum, entry in
      if case .logits(let rows) = entry.wanted { sum + rows } else { sum }
    }
    #expect(logitRows <= configuration.logitRowsPerStep)
  }

  /// A step that runs ahead extends sequences of the only other one by the token which that one samples.
  private mutating func checkAhead(_ batch: StepBatch) {
    stepsAhead += 1
    #expect(scheduler.configuration.stageCount == 1 && inFlight.map(\.id) == [batch.follows])
    #expect(batch.phase == .decode && inFlight.first?.phase == .decode)
    for entry in batch.entries {
      let before = inFlight.first?.entries.first { $0.sequence == entry.sequence }
      #expect(before?.position == entry.position - 1 && before?.wanted == .token && ended[entry.sequence] == nil)
      #expect(entry.rowCount == 1 && entry.tokens.isEmpty && entry.wanted == .token && entry.opening == nil)
      #expect(entry.position + 1 < scheduler.configuration.context)
    }
  }

  /// Runs a step on the hosts, as its arrival there would.
  mutating func execute(_ batch: StepBatch) throws -> [StepResult] {
    for id in batch.released {
      caches[id] = nil
      histories[id] = nil
      sampled[id] = nil
    }
    var results: [StepResult] = []
    for entry in batch.entries {
      var tokens = entry.tokens
      if batch.follows != nil {
        let last = try #require(sampled[entry.sequence], "nothing was sampled before a step that follows")
        #expect(last.position == entry.position)
        if requests[entry.sequence]?.endTokens.contains(last.token) == true {
          results.append(StepResult(sequence: entry.sequence, position: entry.position, outcome: .none))
          continue
        }
        tokens = [last.token]
      }
      var cache = caches[entry.sequence, default: []]
      try #require(entry.position <= cache.count, "positions were skipped")
      cache.removeSubrange(entry.position...)
      cache += tokens
      caches[entry.sequence] = cache
      results.append(try result(entry, cache))
    }
    let blocks = caches.keys.reduce(0) { $0 + SchedulerConfiguration.blocks(positions: caches[$1]?.count ?? 0) }
    #expect(caches.count <= scheduler.configuration.sequences, "more sequences than the hosts have room for")
    #expect(blocks <= scheduler.configuration.blockCount)
    return results
  }

  private mutating func result(_ entry: StepEntry, _ cache: [TokenID]) throws -> StepResult {
    let vocabulary = scheduler.configuration.vocabularySize
    switch entry.wanted {
    case .nothing:
      return StepResult(sequence: entry.sequence, position: cache.count - 1, outcome: .none)
    case .logits(let rows):
      let values = (cache.count - rows..<cache.count).flatMap { Array(repeating: Float($0), count: vocabulary) }
      return StepResult(
        sequence: entry.sequence, position: cache.count - 1, outcome: .logits(rows: rows, values: values))
    case .token:
      if let opening = entry.opening {
        histories[entry.sequence] = opening.history
        #expect(opening.endTokens == requests[entry.sequence]?.endTokens)
      }
      let history = try #require(histories[entry.sequence], "no opening came before the first token")
      let window = requests[entry.sequence]?.sampling.penaltyWindow ?? 0
      #expect(Array(history.suffix(window)) == Array(cache.suffix(window)))
      let token = Self.token(after: cache, vocabulary: vocabulary)
      histories[entry.sequence] = history + [token]
      sampled[entry.sequence] = (cache.count, token)
      return StepResult(
        sequence: entry.sequence, position: cache.count, outcome: .token(token, logProbability: -1))
    }
  }

  /// Ends the step at `index` of those in flight; of one that follows another in flight, that other.
  mutating func complete(at index: Int) throws {
    let before = inFlight.firstIndex { $0.id == inFlight[index].follows }
    let batch = inFlight.remove(at: before ?? index)
    try take(try scheduler.completed(batch.id, results: try execute(batch)))
  }

  /// Loses the step at `index`, before or after the hosts ran it.
  mutating func lose(at index: Int) throws {
    let id = inFlight[index].id
    try forget(id) { $0.failed(id) }
  }

  /// Takes a step back, and with it what follows it; the hosts may have run some of that.
  private mutating func forget(_ id: StepID, _ takeBack: (inout Scheduler) -> [StepID]) throws {
    let lost = inFlight.filter { $0.id == id || $0.follows == id }
    let mayRun = inFlight.allSatisfy { $0.id != lost.first?.follows }
    for batch in lost {
      guard mayRun, random.chance(50) else { break }
      _ = try execute(batch)
    }
    #expect(Set(takeBack(&scheduler)) == Set(lost.map(\.id)))
    inFlight.removeAll { batch in lost.contains { $0.id == batch.id } }
  }

  /// Loses every step in flight and all the caches.
  mutating func loseHosts() throws {
    inFlight = []
    scheduler.failAll()
    scheduler.rebuild()
    caches = [:]
    histories = [:]
    sampled = [:]
  }

  /// Interrupts the step at `index`, before or after the hosts ran it.
  mutating func interrupt(at index: Int) throws {
    let id = inFlight[index].id
    try forget(id) { $0.interrupted(id) }
  }

  /// Takes back every step in flight, the first of which the hosts may have run.
  private mutating func stopSteps() throws {
    let executed = Int.random(in: 0...inFlight.count, using: &random)
    for batch in inFlight.prefix(executed) { _ = try execute(batch) }
    inFlight = []
    scheduler.failAll()
  }

  /// Another last host, which knows of no sequence, and perhaps another number of stages.
  mutating func moveStages(to count: Int) throws {
    try stopSteps()
    scheduler.setStageCount(count)
    scheduler.reopen()
    histories = [:]
    sampled = [:]
  }

  mutating func resize(sequences: Int) throws {
    try stopSteps()
    scheduler.resize(sequences: sequences)
  }

  /// Another scheduler and empty hosts go on with what is known of the answers.
  mutating func restart() throws {
    var next = Scheduler(scheduler.configuration)
    (inFlight, caches, histories, sampled, seen) = ([], [:], [:], [:], [])
    for id in requests.keys.sorted() where ended[id] == nil {
      guard let request = requests[id] else { continue }
      logits[id] = nil
      if let reason = try next.admit(request, answer: answers[id] ?? []) { ended[id] = reason }
    }
    scheduler = next
  }

  mutating func cancel(_ id: SequenceID) throws {
    if let event = scheduler.cancel(id) { try take([event]) }
  }

  private mutating func take(_ events: [SchedulerEvent]) throws {
    for event in events {
      switch event {
      case .token(let id, let token, _):
        #expect(ended[id] == nil)
        answers[id, default: []].append(token)
      case .logits(let id, let first, let rows, let values):
        #expect(values.count == rows * scheduler.configuration.vocabularySize)
        logits[id, default: []] += first..<first + rows
      case .ended(let id, let reason):
        #expect(ended.updateValue(reason, forKey: id) == nil, "a sequence ended twice")
      }
    }
  }

  /// Checks what every request got once all is done.
  func checkOutcome() throws {
    #expect(scheduler.isIdle)
    #expect(caches.isEmpty, "KV blocks leaked on the hosts")
    #expect(scheduler.blocksFree == scheduler.configuration.blockCount, "KV blocks leaked in the books")
    for (id, request) in requests {
      let expected = Self.answer(to: request, scheduler.configuration)
      let reason = try #require(ended[id], "sequence \(id) never ended")
      if reason == .cancelled {
        #expect(Array(expected.prefix(answers[id]?.count ?? 0)) == answers[id] ?? [])
        continue
      }
      #expect(answers[id] ?? [] == expected)
      #expect((reason == .stop) == (expected.last.map(request.endTokens.contains) ?? false))
      #expect(logits[id] ?? [] == Array(request.prompt.count - request.logitRows..<request.prompt.count))
    }
  }
}

public import Tensors

/// Decides which rows of which sequences go through the layers next.
///
/// A pure value: no clock, no input or output. Its owner asks `next` for steps, sends them, and reports what came
/// back with `completed` or `failed`. Steps of generation and of prompts are never mixed; they take turns when both
/// wait, so neither starves the other. Sequences beyond the configured number wait in the order of their admission.
/// With one stage a second step that decodes is handed out while the first is in flight (`StepBatch.follows`), so that
/// its host need not wait for anybody between two tokens.
public struct Scheduler: Sendable {
  /// As it was given at first, with the changes of `setStageCount` and `resize`.
  public internal(set) var configuration: SchedulerConfiguration

  /// Sequences with a KV cache, in the order in which they became active.
  var active: [SequenceID: SequenceState] = [:]
  var activeOrder: [SequenceID] = []
  /// Admitted sequences without a KV cache yet.
  var waiting: [SequenceState] = []
  /// Steps in flight.
  var steps: [StepID: InFlightStep] = [:]
  var account: KVBlockAccount
  /// Ended sequences that no host has been told of, and what they hold.
  var unreleased: [SequenceID] = []
  var unreleasedReservation = KVBlockAccount.Reservation()
  var lastPhase = StepPhase.prefill
  var tick: UInt64 = 0
  /// After a failure one step runs alone: whatever it releases is free on every host before anything else begins.
  var nextRunsAlone = false
  var loneStep: StepID?
  private var stepCount: UInt64 = 0

  public init(_ configuration: SchedulerConfiguration) {
    self.configuration = configuration
    account = KVBlockAccount(slots: configuration.sequences, blocks: configuration.blockCount)
  }

  /// A step that was handed out and has not come back.
  struct InFlightStep: Sendable {
    let batch: StepBatch
    /// What the released sequences held, less what entries of this very step were given of it.
    let reservation: KVBlockAccount.Reservation
  }

  /// Takes a sequence in; it waits until there is room.
  /// - Throws: `SchedulingError` when the request contradicts itself, does not fit the context, or too many wait.
  public mutating func admit(_ request: SequenceRequest) throws(SchedulingError) {
    guard waiting.count < configuration.waitingLimit else {
      throw SchedulingError(.queueFull, "\(waiting.count) sequences are waiting already; try again later")
    }
    _ = try admit(request, answer: [])
  }

  /// Takes a sequence in of whose answer some tokens exist already; it goes on after them, exactly as if they had been
  /// generated here. They do not come again as events. It was admitted before, so no limit applies.
  /// - Returns: why the sequence has ended, when these tokens are its whole answer; it is not taken in then.
  /// - Throws: `SchedulingError` as for a new sequence, and when the request could never have had this answer.
  public mutating func admit(
    _ request: SequenceRequest, answer: [TokenID]
  ) throws(SchedulingError) -> EndReason? {
    try check(request)
    try check(answer, of: request)
    let state = SequenceState(request, answer: answer, context: configuration.context)
    if let last = answer.last, let reason = endReason(state, after: last) { return reason }
    precondition(active[request.id] == nil, "a sequence id is used once")
    waiting.append(state)
    return nil
  }

  /// What `admit` refuses, whatever else is running.
  public func check(_ request: SequenceRequest) throws(SchedulingError) {
    let count = request.prompt.count
    guard count > 0 else { throw SchedulingError(.emptyPrompt, "the prompt has no tokens") }
    let needed = request.generates ? count + 1 : count
    guard needed <= configuration.context else {
      let room = request.generates ? "leaves no room for an answer in" : "does not fit"
      throw SchedulingError(
        .promptTooLong, "the prompt has \(count) tokens, which \(room) the context of \(configuration.context)")
    }
    guard request.logitRows >= 0, request.logitRows <= count else {
      throw SchedulingError(
        .badRequest, "logits of the last \(request.logitRows) positions were asked for; the prompt has \(count)")
    }
    guard request.maxTokens.map({ $0 >= 0 }) ?? true else {
      throw SchedulingError(.badRequest, "the most tokens to generate are negative")
    }
    if let token = request.prompt.first(where: { $0.rawValue >= configuration.vocabularySize }) {
      throw SchedulingError(
        .unknownToken, "the prompt has the token \(token); the vocabulary has \(configuration.vocabularySize)")
    }
  }

  private func check(_ answer: [TokenID], of request: SequenceRequest) throws(SchedulingError) {
    let room = request.positions(context: configuration.context) - request.prompt.count
    guard answer.count <= room else {
      throw SchedulingError(
        .badRequest, "the answer so far has \(answer.count) tokens; the request has room for \(room)")
    }
    if let token = answer.first(where: { $0.rawValue >= configuration.vocabularySize }) {
      throw SchedulingError(
        .unknownToken,
        "the answer so far has the token \(token); the vocabulary has \(configuration.vocabularySize)")
    }
    if let token = answer.dropLast().first(where: request.endTokens.contains) {
      throw SchedulingError(.badRequest, "the answer so far goes on after the token \(token), which ends it")
    }
  }

  /// Ends a sequence at once, whatever its state; nil when it has ended already. A step it is part of runs on, its
  /// result is dropped.
  public mutating func cancel(_ id: SequenceID) -> SchedulerEvent? {
    if let index = waiting.firstIndex(where: { $0.id == id }) {
      waiting.remove(at: index)
      return .ended(id, .cancelled)
    }
    guard let state = active[id], !state.hasEnded else { return nil }
    if state.isReady {
      retire(id)
    } else {
      active[id]?.hasEnded = true
    }
    return .ended(id, .cancelled)
  }

  /// Forgets what the hosts' KV caches hold, after a host was replaced: every active sequence is computed anew from
  /// its tokens, to the same bits. No step may be in flight.
  public mutating func rebuild() {
    precondition(steps.isEmpty, "steps in flight are failed first")
    for id in activeOrder { active[id]?.forgetCache() }
  }

  /// Whether nothing is admitted, in flight or left to release.
  public var isIdle: Bool { active.isEmpty && waiting.isEmpty && steps.isEmpty && unreleased.isEmpty }
  /// Whether no sequence is admitted (steps with ended ones may still be in flight).
  public var isEmpty: Bool { waiting.isEmpty && active.values.allSatisfy(\.hasEnded) }
  public var activeCount: Int { active.count }
  /// Whether a sequence has a KV cache.
  public func isActive(_ id: SequenceID) -> Bool { active[id] != nil }
  /// Positions whose keys and values the hosts have, of all sequences together.
  public var cachedPositions: Int { active.values.reduce(0) { $0 + $1.cached } }
  public var waitingCount: Int { waiting.count }
  public var stepsInFlight: Int { steps.count }
  /// KV blocks that no sequence holds.
  public var blocksFree: Int { account.blocksFree }

  /// Takes an ended sequence out; its memory comes back when the hosts have been told.
  mutating func retire(_ id: SequenceID) {
    guard let state = active.removeValue(forKey: id) else { return }
    activeOrder.removeAll { $0 == id }
    unreleased.append(id)
    unreleasedReservation.add(KVBlockAccount.Reservation(slots: 1, blocks: state.blocks))
  }

  mutating func makeStepID() -> StepID {
    stepCount += 1
    return StepID(rawValue: stepCount)
  }
}

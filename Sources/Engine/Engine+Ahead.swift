import Scheduling
import Tensors

/// Steps that run ahead of the coordinator: it sends them before it knows the tokens that they begin with.
extension Engine {
  /// Refuses what no step may be that follows another one.
  /// - Parameter stage: the first one; it must also be the last, so that its tokens are sampled here.
  func checkAhead(_ step: StepBatch, _ stage: HostedStageState) throws(EngineError) {
    guard stage.isLast else {
      throw EngineError(
        .protocolViolation, "step \(step.id) follows another one, but this node does not host all layers")
    }
    for entry in step.entries where step.phase != .decode || entry.rowCount != 1 || entry.wanted != .token {
      throw EngineError(.protocolViolation, "step \(step.id) follows another one, but does not decode")
    }
  }

  /// Keeps a step until the one that it follows is through.
  /// - Returns: false when that one is not under way here: it is through, or was dropped.
  func postpone(_ step: StepBatch, until before: StepID) throws(EngineError) -> Bool {
    guard steps.keys.contains(where: { $0.step == before }) else { return false }
    guard followers[before] == nil else {
      throw EngineError(.protocolViolation, "two steps follow step \(before)")
    }
    followers[before] = step
    return true
  }

  /// Begins the step that waited for the end of this one.
  func beginFollower(of step: StepID) {
    if let follower = followers.removeValue(forKey: step) { begin(follower) }
  }

  /// Entries with their tokens, and results of those that come to nothing.
  struct FilledEntries {
    var entries: [StepEntry] = []
    var ended: [StepResult] = []
  }

  /// Gives each entry of a step that follows another one the token that was sampled here for its position.
  func fill(_ step: StepBatch) throws(EngineError) -> FilledEntries {
    guard step.follows != nil else { return FilledEntries(entries: step.entries) }
    var filled = FilledEntries()
    for entry in step.entries {
      guard let state = samplingStates[entry.sequence], let token = state.token(at: entry.position) else {
        throw EngineError(
          .protocolViolation, "no token of sequence \(entry.sequence) was sampled here for position \(entry.position)")
      }
      if state.endTokens.contains(token) {
        filled.ended.append(StepResult(sequence: entry.sequence, position: entry.position, outcome: .none))
      } else {
        filled.entries.append(entry.with(tokens: [token]))
      }
    }
    return filled
  }
}

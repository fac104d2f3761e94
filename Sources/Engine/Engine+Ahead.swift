import Scheduling
import Tensors

/// Steps that run ahead of the coordinator: it sends them before it knows the tokens that they begin with.
extension Engine {
  /// Keeps a step until the one that it follows is through.
  /// - Returns: false when that one is not under way here: it is through, or was dropped.
  func postpone(_ step: StepBatch) throws(EngineError) -> Bool {
    guard let before = step.follows, isUnderWay(before) else { return false }
    guard followers[before] == nil else {
      throw EngineError(.protocolViolation, "two steps follow step \(before)")
    }
    followers[before] = step
    return true
  }

  private func isUnderWay(_ step: StepID) -> Bool { steps.keys.contains { $0.step == step } }

  /// Begins the step that waited for the end of this one.
  func beginFollower(of step: StepID) {
    if let follower = followers.removeValue(forKey: step) { begin(follower) }
  }

  /// Entries with the tokens that were sampled here, and results of those that come to nothing.
  struct FilledEntries {
    var entries: [StepEntry] = []
    var ended: [StepResult] = []
  }

  /// Gives each entry of a step that runs ahead the token it begins with.
  /// - Returns: nil when one of these tokens was not sampled here: the step before was dropped.
  func fill(_ step: StepBatch) throws(EngineError) -> FilledEntries? {
    guard step.follows != nil else { return FilledEntries(entries: step.entries) }
    var filled = FilledEntries()
    for entry in step.entries {
      guard step.phase == .decode, entry.rowCount == 1, entry.wanted == .token else {
        throw EngineError(.protocolViolation, "step \(step.id) follows another one, but does not decode")
      }
      guard let state = samplingStates[entry.sequence], let token = state.token(at: entry.position) else { return nil }
      if state.endTokens.contains(token) {
        filled.ended.append(StepResult(sequence: entry.sequence, position: entry.position, outcome: .none))
      } else {
        filled.entries.append(
          StepEntry(
            sequence: entry.sequence, position: entry.position, rowCount: 1, tokens: [token], wanted: .token,
            opening: entry.opening))
      }
    }
    return filled
  }
}

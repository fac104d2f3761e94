import ModelGraph
import ModelSpec
import Sampling
import Scheduling
import Tensors

/// What the last host keeps of a sequence between its steps.
struct SamplingState {
  let parameters: SamplingParameters
  /// Tokens after which the sequence has ended.
  let endTokens: Set<TokenID>
  /// The last tokens, oldest first.
  private(set) var history: [TokenID]
  /// Position after the last token of `history`.
  private(set) var end: Int
  /// Tokens at the end of `history` that can be dropped and still leave what penalties look at.
  private var spare = 0

  /// How far a sequence can always go back once it was sampled for so often.
  static let rewindMax = 64

  init(_ opening: SequenceOpening, end: Int) {
    parameters = opening.sampling
    endTokens = opening.endTokens
    history = opening.history
    self.end = end
  }

  /// Makes `position` the next one to be sampled: a step that runs again drops what it sampled before.
  /// - Throws: `EngineError` when the history does not reach that far, or ends before it.
  mutating func rewind(to position: Int) throws(EngineError) {
    guard position <= end, end - position <= spare else {
      throw EngineError(
        .protocolViolation,
        "a token is wanted at position \(position); the sequence was opened for \(end - spare) to \(end)")
    }
    history.removeLast(end - position)
    spare -= end - position
    end = position
  }

  /// The token at a position that was sampled here; nil for one that was not, or so long ago that it is forgotten.
  func token(at position: Int) -> TokenID? {
    guard position < end, end - position <= spare else { return nil }
    return history[history.count - (end - position)]
  }

  mutating func append(_ token: TokenID) {
    history.append(token)
    end += 1
    spare += 1
    let window = max(0, min(parameters.penaltyWindow, SamplingParameters.penaltyWindowMax))
    guard history.count > 2 * (window + Self.rewindMax) else { return }
    history.removeFirst(history.count - window - Self.rewindMax)
    spare = min(spare, Self.rewindMax)
  }
}

extension Engine {
  /// Logits and tokens of a pass on the last host.
  func results(of active: ActivePass) throws -> [StepResult] {
    var wantedRows: [Int] = []
    var first = 0
    for entry in active.entries {
      let end = first + entry.rowCount
      switch entry.wanted {
      case .nothing: break
      case .token: wantedRows.append(end - 1)
      case .logits(let rows): wantedRows.append(contentsOf: max(first, end - rows)..<end)
      }
      first = end
    }
    if !wantedRows.isEmpty { try forward.logits(active.pass, rows: wantedRows, into: logits.floats) }
    var row = 0
    return try active.entries.map { entry in
      let end = entry.position + entry.rowCount
      switch entry.wanted {
      case .nothing:
        return StepResult(sequence: entry.sequence, position: end - 1, outcome: .none)
      case .logits(let rows):
        let count = min(rows, entry.rowCount)
        let values = logitRows(row..<row + count)
        row += count
        guard values.allSatisfy(\.isFinite) else {
          throw EngineError(.forward, "a logit of sequence \(entry.sequence) is not finite; is the model file damaged?")
        }
        return StepResult(
          sequence: entry.sequence, position: end - 1, outcome: .logits(rows: count, values: Array(values)))
      case .token:
        let values = logitRows(row..<row + 1)
        row += 1
        return try sample(entry.sequence, position: end, values)
      }
    }
  }

  private func logitRows(_ rows: Range<Int>) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(
      start: logits.floats + rows.lowerBound * model.vocabularySize, count: rows.count * model.vocabularySize)
  }

  private func sample(
    _ sequence: SequenceID, position: Int, _ values: UnsafeBufferPointer<Float>
  ) throws -> StepResult {
    // Taken out while it is changed, so that its history is not copied for each token.
    guard var state = samplingStates.removeValue(forKey: sequence) else {
      throw EngineError(.protocolViolation, "sequence \(sequence) wants a token but was never opened on this host")
    }
    defer { samplingStates[sequence] = state }
    try state.rewind(to: position)
    let sampled = try sampler.sample(
      logits: values, parameters: state.parameters, history: state.history, position: position)
    state.append(sampled.token)
    return StepResult(
      sequence: sequence, position: position,
      outcome: .token(sampled.token, logProbability: sampled.logProbability))
  }
}

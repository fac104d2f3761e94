public import Tensors

/// What the last host made of one step entry.
public struct StepResult: Sendable, Hashable {
  /// What an entry comes to, as its `Wanted` asked.
  public enum Outcome: Sendable, Hashable {
    /// The token sampled after the entry's last row, and the natural logarithm of its probability.
    case token(TokenID, logProbability: Float)
    /// Row-major `[rows, vocabulary]` logits of the entry's last `rows` positions.
    case logits(rows: Int, values: [Float])
    /// The rows are in the KV cache and nothing was wanted of them; or, in a step that follows another, the sequence had
    /// ended and nothing was computed.
    case none
  }

  public let sequence: SequenceID
  /// Position of the new token; for the other outcomes, of the entry's last row.
  public let position: Int
  public let outcome: Outcome

  public init(sequence: SequenceID, position: Int, outcome: Outcome) {
    self.sequence = sequence
    self.position = position
    self.outcome = outcome
  }
}

public import Tensors

/// What a step made of one of its entries.
public struct StepResult: Sendable, Hashable {
  public enum Outcome: Sendable, Hashable {
    /// The entry wanted nothing; its keys and values are stored.
    case none
    /// The sampled token and the natural logarithm of its probability before temperature and penalties.
    case token(TokenID, logProbability: Float)
    /// Logits of the entry's last `rows` positions, `[rows, vocabulary]`.
    case logits(rows: Int, values: [Float])
  }

  public let sequence: SequenceID
  /// Position of the new token, or of the entry's last row when there is none.
  public let position: Int
  public let outcome: Outcome

  public init(sequence: SequenceID, position: Int, outcome: Outcome) {
    self.sequence = sequence
    self.position = position
    self.outcome = outcome
  }
}

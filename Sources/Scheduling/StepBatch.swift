public import Tensors

/// Whether a step extends sequences by one token each or takes in prompt tokens.
public enum StepPhase: UInt8, Sendable, Hashable {
  case decode = 0
  case prefill = 1
}

/// What the last host makes of a step entry's final rows.
public enum Wanted: Sendable, Hashable {
  /// Nothing: a prefill chunk that is not the prompt's last.
  case nothing
  /// A token, sampled from the logits of the entry's last position.
  case token
  /// The logits of the entry's last `rows` positions.
  case logits(rows: Int)
}

/// What the last host must know of a sequence before it can sample for it.
public struct SequenceOpening: Sendable, Hashable {
  public let sampling: SamplingParameters
  /// The last tokens (at most the penalty window) up to and including the entry's last position.
  public let history: [TokenID]
  /// Tokens after which the sequence has ended: a step that runs ahead has nothing to do for it then.
  public let endTokens: Set<TokenID>

  public init(sampling: SamplingParameters, history: [TokenID], endTokens: Set<TokenID> = []) {
    self.sampling = sampling
    self.history = history
    self.endTokens = endTokens
  }
}

/// The rows of one sequence in a step.
public struct StepEntry: Sendable, Hashable {
  public let sequence: SequenceID
  /// Position of the entry's first row.
  public let position: Int
  /// Rows, one for each position from `position` on; at least 1.
  public let rowCount: Int
  /// One token a row for the first host; empty when the rows travel as hidden state, and in a step that runs ahead.
  public let tokens: [TokenID]
  public let wanted: Wanted
  /// Comes with the first entry that wants a token, and again when another node becomes the last host.
  public let opening: SequenceOpening?

  public init(
    sequence: SequenceID, position: Int, rowCount: Int, tokens: [TokenID], wanted: Wanted,
    opening: SequenceOpening? = nil
  ) {
    self.sequence = sequence
    self.position = position
    self.rowCount = rowCount
    self.tokens = tokens
    self.wanted = wanted
    self.opening = opening
  }
}

/// One step: rows of several sequences that go through the layers together.
public struct StepBatch: Sendable, Hashable {
  public let id: StepID
  public let phase: StepPhase
  /// May be empty when there is only something to release.
  public let entries: [StepEntry]
  /// Sequences that have ended: every host frees their KV blocks before it begins this step.
  public let released: [SequenceID]
  /// The step that this one runs ahead of the results of; nil for none. This step decodes, and begins as soon as that
  /// one is through: each entry has one row, whose token is the one that the host itself sampled for its position.
  /// Only a host of the first and the last layers can do that. An entry whose sequence has ended with that token
  /// comes to nothing.
  public let follows: StepID?

  public init(
    id: StepID, phase: StepPhase, entries: [StepEntry], released: [SequenceID] = [], follows: StepID? = nil
  ) {
    self.id = id
    self.phase = phase
    self.entries = entries
    self.released = released
    self.follows = follows
  }

  public var rowCount: Int { entries.reduce(0) { $0 + $1.rowCount } }
}

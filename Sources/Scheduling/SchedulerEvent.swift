public import Tensors

/// Why a sequence ended.
public enum EndReason: String, Sendable, Hashable {
  /// The model ended its answer.
  case stop
  /// All the tokens asked for, or all the context holds, are there.
  case length
  /// Whoever asked for it no longer wants it.
  case cancelled
}

/// What became of a sequence.
public enum SchedulerEvent: Sendable, Hashable {
  /// The next token of the answer.
  case token(SequenceID, TokenID, logProbability: Float)
  /// Logits of the positions `first ..< first + rows`, row-major.
  case logits(SequenceID, first: Int, rows: Int, values: [Float])
  /// The last event of a sequence.
  case ended(SequenceID, EndReason)
}

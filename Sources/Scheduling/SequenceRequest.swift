public import Tensors

/// A sequence as the scheduler takes it in.
public struct SequenceRequest: Sendable, Hashable {
  public let id: SequenceID
  /// At least one token.
  public let prompt: [TokenID]
  public let sampling: SamplingParameters
  /// Tokens to generate at most; nil: as many as the context holds. 0: take in the prompt only.
  public let maxTokens: Int?
  /// Tokens after which the sequence ends; empty to go on through all of them.
  public let endTokens: Set<TokenID>
  /// Logits of the prompt's last `logitRows` positions instead of an answer; 0: an answer.
  public let logitRows: Int

  public init(
    id: SequenceID, prompt: [TokenID], sampling: SamplingParameters, maxTokens: Int? = nil,
    endTokens: Set<TokenID> = [], logitRows: Int = 0
  ) {
    self.id = id
    self.prompt = prompt
    self.sampling = sampling
    self.maxTokens = maxTokens
    self.endTokens = endTokens
    self.logitRows = logitRows
  }

  /// Whether tokens are to be sampled at all.
  var generates: Bool { logitRows == 0 && maxTokens != 0 }

  /// Positions the sequence may come to.
  func positions(context: Int) -> Int {
    guard generates else { return prompt.count }
    guard let maxTokens, maxTokens < context - prompt.count else { return context }
    return prompt.count + maxTokens
  }
}

public import Scheduling
public import Tensors

/// What a user asks for: an answer to a prompt, or logits of it.
public struct JobRequest: Sendable, Hashable {
  /// What an answer is to follow.
  public enum Prompt: Sendable, Hashable {
    /// Text, to be split into tokens by the model's rules.
    case text(String)
    /// Tokens, fed as they are.
    case tokens([TokenID])
  }

  public var prompt: Prompt
  /// How tokens are chosen, seed included.
  public var parameters: SamplingParameters
  /// Tokens to generate at most; nil: as many as the context holds; 0: take in the prompt only.
  public var maxTokens: Int?
  /// Whether to go on after a token that ends the answer.
  public var ignoreEOS: Bool
  /// Logits of the prompt's last `logitRows` positions instead of an answer; 0: an answer.
  public var logitRows: Int

  public init(
    prompt: Prompt, parameters: SamplingParameters = SamplingParameters(), maxTokens: Int? = nil,
    ignoreEOS: Bool = false, logitRows: Int = 0
  ) {
    self.prompt = prompt
    self.parameters = parameters
    self.maxTokens = maxTokens
    self.ignoreEOS = ignoreEOS
    self.logitRows = logitRows
  }
}

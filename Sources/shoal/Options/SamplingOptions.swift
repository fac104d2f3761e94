import ArgumentParser
import Scheduling

/// How tokens are chosen; the defaults are resolved here, alike for every command.
struct SamplingOptions: ParsableArguments {
  @Option(help: "Divides the logits before the draw; 0 is greedy and switches the default penalties off.")
  var temperature: Float?
  @Option(name: .customLong("top-k"), help: "Draw from this many most probable tokens; 0: no limit.")
  var topK: Int?
  @Option(name: .customLong("top-p"), help: "Draw from the fewest tokens that hold this share of the probability.")
  var topP: Float?
  @Option(name: .customLong("min-p"), help: "Leave out tokens less probable than this share of the best one's.")
  var minP: Float?
  @Option(help: "Makes tokens of the last 64 less probable; 1: none.")
  var repeatPenalty: Float?
  @Option(help: "Taken off a token's logit for each time it stands among the last 64.")
  var frequencyPenalty: Float?
  @Option(help: "Taken off a token's logit if it stands among the last 64.")
  var presencePenalty: Float?
  @Option(help: "Decides the draws; drawn and reported when not given.")
  var seed: UInt64?

  /// The parameters in full; a seed that was not given is drawn.
  func resolved() throws -> SamplingParameters {
    var parameters = SamplingParameters()
    if let temperature { parameters.temperature = temperature }
    if parameters.temperature == 0 { parameters = .greedy }
    if let topK { parameters.topK = topK }
    if let topP { parameters.topP = topP }
    if let minP { parameters.minP = minP }
    if let repeatPenalty { parameters.repeatPenalty = repeatPenalty }
    if let frequencyPenalty { parameters.frequencyPenalty = frequencyPenalty }
    if let presencePenalty { parameters.presencePenalty = presencePenalty }
    // JSON readers keep integers up to 2^53 exactly.
    parameters.seed = seed ?? UInt64.random(in: 0..<1 << 53)
    try parameters.validate()
    return parameters
  }
}

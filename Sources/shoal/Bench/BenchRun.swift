import Coordinator
import ModelSpec
import Scheduling
import Tensors

/// Runs the same generation several times.
struct BenchRun {
  /// Tokens of the prompt.
  let promptTokens: Int
  /// Tokens to generate; 0 for prefill alone.
  let tokens: Int
  let repetitions: Int

  /// - Returns: how the repetitions went, the first one left out: it finds caches cold and is there to warm them.
  /// - Throws: `InputError` when they do not fit the context, whatever the jobs fail of.
  func run(on cluster: RunningCluster, _ plan: ClusterPlan) throws -> [JobSummary] {
    let prompt = try BenchPrompt.draw(
      promptTokens, plan.model.tokenizer, vocabularySize: plan.model.spec.hyperparameters.vocabularySize)
    let greedy = SamplingParameters(temperature: 0, repeatPenalty: 1, seed: 0)
    let request = JobRequest(
      prompt: .tokens(prompt), parameters: greedy, maxTokens: max(1, tokens), ignoreEOS: true)
    let requests = Array(repeating: request, count: 1 + repetitions)
    var summaries: [JobSummary] = []
    try JobRunner(cluster, requests, limit: 1).run { _, event in
      guard case .finished(let summary) = event else { return }
      summaries.append(summary)
      Console.progress("measuring", done: summaries.count, total: requests.count)
    }
    Console.clearProgress()
    return Array(summaries.dropFirst())
  }

  /// - Throws: `InputError` when prompt and answer are longer than a sequence may be.
  func check(_ plan: ClusterPlan) throws {
    let positions = promptTokens + max(1, tokens)
    guard positions <= plan.context else {
      throw InputError(
        .usage,
        "-p \(promptTokens) and -n \(tokens) take \(positions) positions, but the context is \(plan.context): give "
          + "--context \(positions), if the model was made for that many, or measure less")
    }
  }
}

import Coordinator
import ModelSpec
import Scheduling
import Tensors

/// How one repetition went.
///
/// The times are not those of the summary: the coordinator looks at the clock once for all that waits for it, which is
/// good enough for people, but may be late by a token or two on a busy machine.
struct BenchSample {
  let summary: JobSummary
  /// From the submission to the first token, in seconds.
  let prefill: Double
  /// From the first token to the last.
  let decode: Double

  init(_ summary: JobSummary, prefill: Duration, decode: Duration) {
    func seconds(_ duration: Duration) -> Double {
      Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
    self.summary = summary
    self.prefill = seconds(prefill)
    self.decode = seconds(decode)
  }
}

/// Runs the same generation several times.
struct BenchRun {
  /// Tokens of the prompt.
  let promptTokens: Int
  /// Tokens to generate; 0 for prefill alone.
  let tokens: Int
  let repetitions: Int

  /// - Returns: how the repetitions went, the first one left out: it finds caches cold and is there to warm them.
  /// - Throws: `InputError` when they do not fit the context, whatever the jobs fail of.
  func run(on cluster: RunningCluster, _ plan: ClusterPlan) throws -> [BenchSample] {
    let prompt = try BenchPrompt.draw(
      promptTokens, plan.model.tokenizer, vocabularySize: plan.model.spec.hyperparameters.vocabularySize)
    let greedy = SamplingParameters(temperature: 0, repeatPenalty: 1, seed: 0)
    let request = JobRequest(
      prompt: .tokens(prompt), parameters: greedy, maxTokens: max(1, tokens), ignoreEOS: true)
    let requests = Array(repeating: request, count: 1 + repetitions)
    var samples: [BenchSample] = []
    var tokenTimes: (first: ContinuousClock.Instant, last: ContinuousClock.Instant)?
    let runner = try JobRunner(cluster, requests, limit: 1)
    try runner.runTimed { index, event, time in
      switch event {
      case .tokens(let tokens) where !tokens.tokens.isEmpty: tokenTimes = (tokenTimes?.first ?? time, time)
      case .finished(let summary):
        if let tokenTimes {
          samples.append(
            BenchSample(
              summary, prefill: tokenTimes.first - runner.submissions[index], decode: tokenTimes.last - tokenTimes.first
            ))
        }
        tokenTimes = nil
        Console.progress("measuring", done: index + 1, total: requests.count)
      default: break
      }
    }
    Console.clearProgress()
    return Array(samples.dropFirst())
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

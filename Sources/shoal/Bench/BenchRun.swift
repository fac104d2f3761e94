import Coordinator
import ModelSpec
import Scheduling
import Tensors

/// How one repetition went.
///
/// The times are not those of the summary: the coordinator looks at the clock once for all that waits for it, which is
/// good enough for people, but may be late by a token or two on a busy machine.
struct BenchSample {
  /// Of the sequences that were generated side by side.
  let summaries: [JobSummary]
  /// From the submission until each had its first token, in seconds.
  let prefill: Double
  /// From then to the last token.
  let decode: Double
  /// How many came meanwhile, of all sequences.
  let decodedTokens: Int

  /// What the nodes did, as the sequence tells that saw most of it. Of several it is nearly all: readings of the counters
  /// are taken as sequences begin and end.
  var work: [NodeWork] {
    func time(_ summary: JobSummary) -> UInt64 { summary.work.reduce(0) { $0 + $1.decode.times.computing } }
    return summaries.max { time($0) < time($1) }?.work ?? []
  }

  init(_ summaries: [JobSummary], prefill: Duration, decode: Duration, decodedTokens: Int) {
    func seconds(_ duration: Duration) -> Double {
      Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }
    self.summaries = summaries
    self.decodedTokens = decodedTokens
    self.prefill = seconds(prefill)
    self.decode = seconds(decode)
  }
}

/// Collects what is heard of the sequences of one repetition.
private struct BenchEar {
  private var summaries: [JobSummary] = []
  private var firstTokens: [Int: ContinuousClock.Instant] = [:]
  private var tokens: [(time: ContinuousClock.Instant, count: Int)] = []

  mutating func heard(_ count: Int, of job: Int, at time: ContinuousClock.Instant) {
    guard count > 0 else { return }
    if firstTokens[job] == nil { firstTokens[job] = time }
    tokens.append((time, count))
  }

  /// - Returns: the repetition, once all of its sequences have ended.
  mutating func ended(
    _ summary: JobSummary, of sequences: Int, submitted: ContinuousClock.Instant
  ) -> BenchSample? {
    summaries.append(summary)
    guard summaries.count == sequences else { return nil }
    defer { self = BenchEar() }
    guard let start = firstTokens.values.max(), let end = tokens.map(\.time).max() else { return nil }
    return BenchSample(
      summaries, prefill: start - submitted, decode: end - start,
      decodedTokens: tokens.reduce(0) { $0 + ($1.time > start ? $1.count : 0) })
  }
}

/// Runs the same generation several times.
struct BenchRun {
  /// Tokens of the prompt.
  let promptTokens: Int
  /// Tokens to generate; 0 for prefill alone.
  let tokens: Int
  /// Generated side by side, all alike.
  let sequences: Int
  let repetitions: Int

  /// - Returns: how the repetitions went, the first one left out: it finds caches cold and is there to warm them.
  /// - Throws: `InputError` when they do not fit the context, whatever the jobs fail of.
  func run(on cluster: RunningCluster, _ plan: ClusterPlan) throws -> [BenchSample] {
    let drawn = try BenchPrompt.draw(
      sequences * promptTokens, plan.model.tokenizer, vocabularySize: plan.model.spec.hyperparameters.vocabularySize)
    let greedy = SamplingParameters(temperature: 0, repeatPenalty: 1, seed: 0)
    let group = (0..<sequences).map { sequence in
      JobRequest(
        prompt: .tokens(Array(drawn[sequence * promptTokens..<(sequence + 1) * promptTokens])), parameters: greedy,
        maxTokens: max(1, tokens), ignoreEOS: true)
    }
    let requests = (0...repetitions).flatMap { _ in group }
    var samples: [BenchSample] = []
    var ear = BenchEar()
    let runner = try JobRunner(cluster, requests, limit: sequences, inGroups: true)
    try runner.runTimed { index, event, time in
      switch event {
      case .tokens(let tokens): ear.heard(tokens.tokens.count, of: index, at: time)
      case .finished(let summary):
        let submitted = runner.submissions[index / sequences * sequences]
        guard let sample = ear.ended(summary, of: sequences, submitted: submitted) else { return }
        samples.append(sample)
        Console.progress("measuring", done: samples.count, total: 1 + repetitions)
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
    guard sequences <= plan.sequences else {
      throw InputError(
        .usage,
        "--sequences \(sequences) cannot run side by side: the cluster takes \(plan.sequences) at a time (\"sequences\" "
          + "in its topology)")
    }
  }
}

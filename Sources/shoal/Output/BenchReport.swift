import Cluster
import Coordinator
import Foundation
import ModelSpec
import Tensors

/// What `shoal bench` says, for people and as JSON.
struct BenchReport: Encodable {
  /// What was measured, and how.
  struct Settings: Encodable {
    let model: String
    let promptTokens: Int
    let tokens: Int
    let sequences: Int
    let repetitions: Int
    /// Of this machine, in all its workers.
    let threads: Int
    let kernels: String
    let kv: String
    let context: Int
    let prefillChunk: Int
    let nodes: Int
    let stages: Int
  }

  /// What taking in prompts, or decoding, came to.
  struct Phase: Encodable {
    let tokensPerSecond: Spread
    /// Seconds of the engines' threads for one token, by part; of all nodes together, which partly work side by side.
    let secondsPerToken: PartTimes
    /// Bytes that nodes sent each other for one token.
    let wireBytesPerToken: Double
    /// Exchanges with expert nodes for one token.
    let roundTripsPerToken: Double
  }

  /// One node's share.
  struct Node: Encodable {
    let name: String
    /// Most bytes of memory its process has had; nil when it is the coordinator's process or has not said.
    let peakMemoryBytes: Int?
    let prefillSecondsPerToken: PartTimes
    let decodeSecondsPerToken: PartTimes?
    /// How much of the time its engine's thread computes, from the submission to the last token.
    let computingShare: Double?
  }

  let settings: Settings
  let prefill: Phase
  /// Nil when only prefill was measured.
  let decode: Phase?
  /// Bytes of weights that a decode step reads for one token.
  let weightBytesPerToken: Int
  /// Bytes a second that this machine reads from memory with the threads of the run; nil when it has no part in it.
  let readBandwidth: Double?
  /// How much of that decode reaches; nil when weights lie on other machines too, or
  /// sequences side by side share what is read.
  let readBandwidthShare: Double?
  /// Most bytes of memory the coordinator's process has had; with one process that is all there is.
  let peakMemoryBytes: Int
  let nodes: [Node]

  /// - Parameters:
  ///   - samples: the repetitions that count; at least one.
  ///   - isLocal: whether all nodes are on this machine.
  /// - Throws: `InputError` when a repetition was cut short.
  init(
    _ settings: Settings, _ samples: [BenchSample], weightBytesPerToken: Int, readBandwidth: Double?, isLocal: Bool,
    peakMemoryBytes: Int
  ) throws {
    guard !samples.isEmpty,
      samples.allSatisfy({ $0.summaries.allSatisfy { $0.tokens.count == max(1, settings.tokens) } })
    else {
      throw InputError(
        .software, "a repetition ended before it had all its tokens, so nothing can be said of its speed")
    }
    let measured = BenchMeasurements(samples)
    self.settings = settings
    self.weightBytesPerToken = weightBytesPerToken
    self.peakMemoryBytes = peakMemoryBytes
    self.readBandwidth = readBandwidth
    guard let prefill = measured.phase(.prefill) else {
      throw InputError(.software, "no time passed between the submission and the first token")
    }
    self.prefill = prefill
    decode = measured.phase(.decode)
    // Of several sequences, tokens share what is read.
    let speed = isLocal && settings.sequences == 1 ? decode?.tokensPerSecond.median : nil
    readBandwidthShare = speed.flatMap { speed in
      readBandwidth.map { Double(weightBytesPerToken) * speed / $0 }
    }
    nodes = measured.nodes
  }

  func json() throws -> String { try ShardsSummary.encoded(self) }
}

/// Seconds for one token, by part of the work.
struct PartTimes: Encodable, Equatable {
  let attention: Double
  let router: Double
  let experts: Double
  let output: Double
  let wire: Double
  let waiting: Double
  /// What is left of the time a token took: the coordinator, and what lies between it and the engine. Nil where several
  /// nodes work, as their times overlap.
  let other: Double?

  /// - Parameters:
  ///   - seconds: that the tokens took; nil where that says nothing.
  ///   - tokens: at least 1.
  init(_ times: WorkTimes, seconds: Double?, tokens: Int) {
    func share(_ part: WorkPart) -> Double { Double(times[part]) * 1e-9 / Double(tokens) }
    attention = share(.attention)
    router = share(.router)
    experts = share(.experts)
    output = share(.output)
    wire = share(.wire)
    waiting = share(.waiting)
    let sum = WorkPart.allCases.reduce(0) { $0 + share($1) }
    other = seconds.map { max(0, $0 / Double(tokens) - sum) }
  }

  /// Name and seconds of each part.
  var parts: [(name: String, seconds: Double)] {
    [
      ("attention", attention), ("router", router), ("experts", experts), ("output", output), ("wire", wire),
      ("waiting", waiting),
    ] + (other.map { [("other", $0)] } ?? [])
  }
}

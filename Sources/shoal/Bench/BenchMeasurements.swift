import Coordinator
import Tensors

/// What the repetitions of one generation have in common: speeds, and work added up.
struct BenchMeasurements {
  enum Phase { case prefill, decode }

  private let samples: [BenchSample]

  init(_ samples: [BenchSample]) { self.samples = samples }

  private func seconds(_ phase: Phase, _ sample: BenchSample) -> Double {
    switch phase {
    case .prefill: sample.prefill
    case .decode: sample.decode
    }
  }

  /// Tokens of the prompts, or those that came while all sequences decoded.
  private func tokens(_ phase: Phase, _ sample: BenchSample) -> Int {
    switch phase {
    case .prefill: sample.summaries.reduce(0) { $0 + $1.promptTokens.count }
    case .decode: sample.decodedTokens
    }
  }

  /// Tokens that took work of that kind: also those decoded before all sequences did.
  private func workedTokens(_ phase: Phase) -> Int {
    guard phase == .decode else { return tokens(phase) }
    return samples.flatMap(\.summaries).reduce(0) { $0 + max(0, $1.tokens.count - 1) }
  }

  private func tokens(_ phase: Phase) -> Int { samples.reduce(0) { $0 + tokens(phase, $1) } }

  private var work: [NodeWork] { samples.flatMap(\.work) }

  private func work(_ phase: Phase, _ node: NodeWork) -> WorkTally {
    switch phase {
    case .prefill: node.prefill
    case .decode: node.decode
    }
  }

  /// - Returns: nil when there was nothing of the kind.
  func phase(_ phase: Phase) -> BenchReport.Phase? {
    let timed = samples.filter { tokens(phase, $0) > 0 && seconds(phase, $0) > 0 }
    guard let speeds = Spread(timed.map { Double(tokens(phase, $0)) / seconds(phase, $0) }) else { return nil }
    let work = self.work.reduce(WorkTally()) { $0 + self.work(phase, $1) }
    let worked = workedTokens(phase)
    let isAlone = samples.allSatisfy { $0.work.count == 1 && $0.summaries.count == 1 }
    return BenchReport.Phase(
      tokensPerSecond: speeds,
      secondsPerToken: PartTimes(
        work.times, seconds: isAlone ? samples.reduce(0) { $0 + seconds(phase, $1) } : nil, tokens: worked),
      wireBytesPerToken: Double(work.sentBytes) / Double(worked),
      roundTripsPerToken: Double(work.roundTrips) / Double(worked))
  }

  /// The nodes in the order of their names.
  var nodes: [BenchReport.Node] {
    Set(work.map(\.node)).sorted().map { name in
      let all = work.filter { $0.node == name }
      func times(_ phase: Phase) -> PartTimes? {
        let total = workedTokens(phase)
        guard total > 0 else { return nil }
        let sum = all.reduce(WorkTally()) { $0 + work(phase, $1) }
        return PartTimes(sum.times, seconds: nil, tokens: total)
      }
      let computing = all.reduce(0) { $0 + $1.decode.times.computing + $1.prefill.times.computing }
      let wall = samples.reduce(0) { $0 + $1.prefill + $1.decode }
      let peak = all.map(\.peakMemoryBytes).max() ?? 0
      return BenchReport.Node(
        name: name.rawValue, peakMemoryBytes: peak > 0 ? peak : nil,
        prefillSecondsPerToken: times(.prefill) ?? PartTimes(WorkTimes(), seconds: nil, tokens: 1),
        decodeSecondsPerToken: times(.decode),
        computingShare: wall > 0 ? Double(computing) * 1e-9 / wall : nil)
    }
  }
}

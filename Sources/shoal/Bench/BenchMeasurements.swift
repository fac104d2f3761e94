import Coordinator
import Tensors

/// What the repetitions of one generation have in common: speeds, and work added up.
struct BenchMeasurements {
  enum Phase { case prefill, decode }

  private let summaries: [JobSummary]

  init(_ summaries: [JobSummary]) { self.summaries = summaries }

  /// From the submission to the first token, or from the first token to the last.
  private func seconds(_ phase: Phase, _ summary: JobSummary) -> Double {
    switch phase {
    case .prefill: summary.timing.firstToken ?? 0
    case .decode: summary.timing.decode
    }
  }

  /// Tokens of the prompt, or those after the first: each takes a decode step.
  private func tokens(_ phase: Phase, _ summary: JobSummary) -> Int {
    switch phase {
    case .prefill: summary.promptTokens.count
    case .decode: max(0, summary.tokens.count - 1)
    }
  }

  private func tokens(_ phase: Phase) -> Int { summaries.reduce(0) { $0 + tokens(phase, $1) } }

  private func work(_ phase: Phase, _ node: NodeWork) -> WorkTally {
    switch phase {
    case .prefill: node.prefill
    case .decode: node.decode
    }
  }

  /// - Returns: nil when there was nothing of the kind.
  func phase(_ phase: Phase) -> BenchReport.Phase? {
    let timed = summaries.filter { tokens(phase, $0) > 0 && seconds(phase, $0) > 0 }
    guard let speeds = Spread(timed.map { Double(tokens(phase, $0)) / seconds(phase, $0) }) else { return nil }
    let work = summaries.flatMap(\.work).reduce(WorkTally()) { $0 + self.work(phase, $1) }
    let total = tokens(phase)
    let isAlone = summaries.allSatisfy { $0.work.count == 1 }
    return BenchReport.Phase(
      tokensPerSecond: speeds,
      secondsPerToken: PartTimes(
        work.times, seconds: isAlone ? summaries.reduce(0) { $0 + seconds(phase, $1) } : nil, tokens: total),
      wireBytesPerToken: Double(work.sentBytes) / Double(total),
      roundTripsPerToken: Double(work.roundTrips) / Double(total))
  }

  /// The nodes in the order of their names.
  var nodes: [BenchReport.Node] {
    Set(summaries.flatMap { $0.work.map(\.node) }).sorted().map { name in
      let all = summaries.flatMap(\.work).filter { $0.node == name }
      func times(_ phase: Phase) -> PartTimes? {
        let total = tokens(phase)
        guard total > 0 else { return nil }
        let sum = all.reduce(WorkTally()) { $0 + work(phase, $1) }
        return PartTimes(sum.times, seconds: nil, tokens: total)
      }
      let peak = all.map(\.peakMemoryBytes).max() ?? 0
      return BenchReport.Node(
        name: name.rawValue, peakMemoryBytes: peak > 0 ? peak : nil,
        prefillSecondsPerToken: times(.prefill) ?? PartTimes(WorkTimes(), seconds: nil, tokens: 1),
        decodeSecondsPerToken: times(.decode))
    }
  }
}

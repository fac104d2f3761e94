import Testing

@testable import Sampling

@Suite("Candidates")
struct CandidatesTests {
  @Test("candidates come as a full sort gives them, whatever the limit")
  func order() {
    var random = SystemIndependentRandom(state: 23)
    var candidates = Candidates()
    for count in [1, 2, 3, 10, 1000] {
      for limit in [0, 1, 2, 20, 999, 1000, 5000] {
        // Few values, so that ties are frequent; both zeros, excluded ones.
        let values: [Float] = [-3.5, -1, -0.0, 0, 0x1p-140, 0.25, 7, -.infinity, 3e38, -3e38]
        let logits = (0..<count).map { _ in values.randomElement(using: &random) ?? 0 }
        let sorted = logits.indices.filter { logits[$0] > -.infinity }
          .sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
        let expected = limit == 0 ? sorted : Array(sorted.prefix(limit))
        logits.withUnsafeBufferPointer { candidates.collect($0, limit: limit) }
        var found: [Int] = []
        while let candidate = candidates.removeBest() {
          #expect(candidate.logit == logits[candidate.token])
          found.append(candidate.token)
        }
        #expect(found == expected, "\(count) logits, limit \(limit)")
      }
    }
  }
}

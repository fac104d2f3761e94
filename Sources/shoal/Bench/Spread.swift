/// What several measurements of the same come to.
struct Spread: Encodable, Equatable {
  /// The middle one; of an even number the mean of the two in the middle.
  let median: Double
  let min: Double
  let max: Double

  /// Nil without a measurement.
  init?(_ values: [Double]) {
    let sorted = values.sorted()
    guard let min = sorted.first, let max = sorted.last else { return nil }
    self.min = min
    self.max = max
    let upper = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[upper] : (sorted[upper - 1] + sorted[upper]) / 2
  }
}

/// How long a node takes for the rows of one exchange: a fixed part and one for each row, from what was measured of late.
///
/// Moving averages of rows, time and their products give a line through the latest samples (least squares, each sample
/// weighing 1/16, the ones before it less and less). As long as the number of rows hardly varies, or more rows seem to
/// take less time, all of the time is put down to the rows. One sample counts for at most four times what was expected,
/// so that a single stall does not turn a node away for long.
struct NodeSpeed: Sendable {
  private static let weight = 1.0 / 16
  private static let surpriseMax = 4.0

  private(set) var sampleCount = 0
  private var rows = 0.0
  private var seconds = 0.0
  private var rowsSquared = 0.0
  private var rowsBySeconds = 0.0
  /// Seconds of an exchange besides those of its rows.
  private(set) var fixedSeconds = 0.0
  /// Seconds of each row; positive as soon as something was measured.
  private(set) var rowSeconds = 0.0

  /// Takes note of one exchange.
  /// - Parameters:
  ///   - rows: at least 1; an exchange without rows is ignored.
  ///   - seconds: from sending to the answer; not finite or negative ones are ignored.
  mutating func observe(rows count: Int, seconds measured: Double) {
    guard count > 0, measured.isFinite, measured >= 0 else { return }
    let number = Double(count)
    var time = max(measured, 1e-9)
    if sampleCount >= 8 { time = min(time, Self.surpriseMax * (fixedSeconds + number * rowSeconds)) }
    // The first samples weigh alike, so that none of them is believed for long.
    sampleCount += 1
    let weight = max(Self.weight, 1 / Double(sampleCount))
    rows += weight * (number - rows)
    seconds += weight * (time - seconds)
    rowsSquared += weight * (number * number - rowsSquared)
    rowsBySeconds += weight * (number * time - rowsBySeconds)
    fit()
  }

  private mutating func fit() {
    let variance = rowsSquared - rows * rows
    let ratio = seconds / rows
    var slope = ratio
    if variance > 0.01 * rowsSquared {
      slope = min(ratio, (rowsBySeconds - rows * seconds) / variance)
      if slope < 0.05 * ratio { slope = 0.05 * ratio }
    }
    rowSeconds = slope
    fixedSeconds = max(0, seconds - slope * rows)
  }
}

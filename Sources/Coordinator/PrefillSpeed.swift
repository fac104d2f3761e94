/// How fast prompts are taken in, as steps have shown; for weighing a rebuild of keys and values against moving them.
struct PrefillSpeed: Sendable {
  /// What a link is taken to carry: a tenth of a gigabit, so that a move is chosen only when it is clearly the shorter way.
  static let linkBytesPerSecond = 12_500_000.0
  /// Until a prompt has been measured.
  private(set) var rowsPerSecond = 100.0

  /// A step has taken in so many rows.
  mutating func measured(rows: Int, in duration: Duration) {
    guard rows >= 8, duration > .zero else { return }
    let new = Double(rows) / duration.seconds
    rowsPerSecond += (new - rowsPerSecond) / 4
  }
}

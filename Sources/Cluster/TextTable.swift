/// Columns of plain text under headings, kept within a width.
struct TextTable {
  struct Column {
    let heading: String
    var isRightAligned = false
    /// Whether long cells may be cut to keep the table within its width.
    var mayShrink = false
  }

  private static let gap = "  "
  /// Shrinking stops here.
  private static let shrunkMin = 8

  let columns: [Column]
  var rows: [[String]] = []

  init(_ columns: [Column]) { self.columns = columns }

  /// The heading and the rows, without trailing blanks.
  func lines(width: Int) -> [String] {
    let widths = widths(within: width)
    return ([columns.map(\.heading)] + rows).map { row in
      var line = ""
      for (index, cell) in row.enumerated() {
        if index > 0 { line += Self.gap }
        let text = Self.cut(cell, to: widths[index])
        let blanks = String(repeating: " ", count: widths[index] - text.count)
        line += columns[index].isRightAligned ? blanks + text : text + blanks
      }
      return Self.trimmed(line)
    }
  }

  private func widths(within width: Int) -> [Int] {
    var widths = columns.indices.map { index in
      rows.reduce(columns[index].heading.count) { max($0, $1[index].count) }
    }
    var excess = widths.reduce(0, +) + Self.gap.count * (columns.count - 1) - width
    while excess > 0 {
      // The widest column gives way first.
      let shrinkable = columns.indices.filter { columns[$0].mayShrink && widths[$0] > Self.shrunkMin }
      guard let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }

  /// The text, cut with two dots at its end if it is longer.
  static func cut(_ text: String, to width: Int) -> String {
    text.count <= width ? text : text.prefix(max(0, width - 2)) + ".."
  }

  static func pad(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  static func trimmed(_ line: String) -> String { String(line.reversed().drop { $0 == " " }.reversed()) }
}

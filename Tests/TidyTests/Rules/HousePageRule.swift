/// The table of rooms in docs/architecture.md says what `House` says.
enum HousePageRule {
  struct Row: Equatable {
    var name: String
    var imports: Set<String>
    var isPlanned: Bool
  }

  /// Rows of the form "| `Room` | purpose | `Import`, `Import` |"; a planned room says so after its name.
  static func rows(_ page: String) -> [Row] {
    page.split(separator: "\n").compactMap { line in
      guard line.hasPrefix("| `") else { return nil }
      let cells = line.split(separator: "|").map { $0.trimming(" ") }
      guard cells.count == 3, let name = quoted(cells[0]).first else { return nil }
      return Row(name: name, imports: Set(quoted(cells[2])), isPlanned: cells[0].contains("(planned)"))
    }
  }

  static func differences(_ page: String, rooms: [Room]) -> [String] {
    let rows = rows(page)
    var differences: [String] = []
    if rows.map(\.name) != rooms.map(\.name) {
      differences.append("the page lists \(rows.map(\.name)), the data \(rooms.map(\.name))")
    }
    for room in rooms {
      guard let row = rows.first(where: { $0.name == room.name }) else { continue }
      // The command line joins everything; its row says "all rooms".
      if room.name != "shoal", row.imports != Set(room.imports) {
        differences.append("\(room.name): the page says \(row.imports.sorted()), the data \(room.imports.sorted())")
      }
      if row.isPlanned != room.isPlanned { differences.append("\(room.name): planned on one side only") }
    }
    return differences
  }

  /// The words in backquotes.
  private static func quoted(_ cell: Substring) -> [String] {
    cell.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }.map {
      String($0.element)
    }
  }
}

extension Substring {
  fileprivate func trimming(_ character: Character) -> Substring {
    var rest = self
    while rest.first == character { rest.removeFirst() }
    while rest.last == character { rest.removeLast() }
    return rest
  }
}

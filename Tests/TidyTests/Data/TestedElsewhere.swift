/// Source files that declare a type and have no test file of their own: by room, the test file that covers them and
/// their names. A file leaves the list when it gets its own tests.
enum TestedElsewhere {
  static let rooms: [String: [String: [String]]] = [:]

  /// Source file to the test file that covers it.
  static func listed(_ room: String) -> [String: String] {
    var listed: [String: String] = [:]
    for (test, sources) in rooms[room] ?? [:] {
      for source in sources { listed[source] = test }
    }
    return listed
  }
}

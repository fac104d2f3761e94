import Testing

/// Fails with the list, a line each, unless it is empty.
func expectNone(_ list: [some CustomStringConvertible], sourceLocation: SourceLocation = #_sourceLocation) {
  if list.isEmpty { return }
  Issue.record("\n\(list.map(\.description).joined(separator: "\n"))", sourceLocation: sourceLocation)
}

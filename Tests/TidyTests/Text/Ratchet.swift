/// Known exceptions with their number as it is now, which may only fall: one that grew fails, and so does one that
/// shrank without its entry being lowered.
enum Ratchet {
  /// What is wrong with the entries.
  /// - Parameters:
  ///   - allowed: the recorded numbers.
  ///   - found: the numbers counted now, whatever their size.
  ///   - limit: up to here nothing has to be recorded.
  static func differences(allowed: [String: Int], found: [String: Int], limit: Int) -> [String] {
    var differences: [String] = []
    for (name, count) in found where count > (allowed[name] ?? limit) {
      let recorded = allowed[name].map { "recorded as \($0)" } ?? "at most \(limit)"
      differences.append("\(name): \(count), \(recorded)")
    }
    for (name, recorded) in allowed {
      let count = found[name] ?? 0
      if count <= limit {
        differences.append("\(name): \(count) is within the limit of \(limit) now, remove its entry")
      } else if count < recorded {
        differences.append("\(name): fell to \(count), lower its entry from \(recorded)")
      }
    }
    return differences.sorted()
  }
}

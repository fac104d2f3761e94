import Cluster

/// Writes one JSON object, key by key.
struct JSONText {
  private var members: [String] = []

  var text: String { "{" + members.joined(separator: ", ") + "}" }

  mutating func add(_ key: String, raw value: String) { members.append(TopologyText.jsonString(key) + ": " + value) }

  mutating func add(_ key: String, _ value: String) { add(key, raw: TopologyText.jsonString(value)) }

  mutating func add(_ key: String, numbers: [UInt32]) {
    add(key, raw: "[" + numbers.map { String($0) }.joined(separator: ", ") + "]")
  }

  /// A number with six decimals, or null.
  mutating func add(_ key: String, seconds: Double?) {
    add(key, raw: seconds.map { JobSummary.decimal($0, 6) } ?? "null")
  }
}

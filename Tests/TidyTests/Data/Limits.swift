/// The lengths that fail, and what is known to be longer. Files are typically at most 300 lines.
enum Limits {
  static let fileLines = 500
  static let functionLines = 70

  /// Path to lines.
  static let longFiles: [String: Int] = [:]
  /// `path function` to lines.
  static let longFunctions: [String: Int] = [:]

  /// How often each room takes the word of its author instead of the compiler's, `@unchecked` and
  /// `nonisolated(unsafe)` together. No other room may.
  static let uncheckedUses: [String: Int] = ["Tensors": 2, "Kernels": 3]
  static let roomsWithUncheckedUses: Set<String> = ["Tensors", "Kernels", "Transport"]

  /// How many public declarations of a room have no comment of their own.
  static let undocumented: [String: Int] = [
    "Cluster": 49, "Coordinator": 32, "Engine": 20, "Kernels": 5, "ModelGraph": 18, "ModelSpec": 14, "Scheduling": 19,
    "ShardStore": 9, "Tensors": 11, "Transport": 30, "Wire": 135, "Worker": 16, "shoal": 1,
  ]

  /// The files of `shoal` that may print.
  static let printingFiles: Set<String> = []
}

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
  static let undocumented: [String: Int] = ["Kernels": 1, "ModelGraph": 3, "Scheduling": 2]

  /// Calls by which tests wait for something that no clock of ours drives: the end of other processes.
  static let sleepingTests: [String: Int] = ["Tests/shoalTests/Support/ProcessTable.swift": 1]

  /// The files of `shoal` that may print.
  static let printingFiles: Set<String> = []
}

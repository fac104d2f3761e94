import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Standard output for answers, standard error for everything else.
enum Console {
  /// Writes to standard output at once.
  /// - Returns: false when nobody reads it any more.
  static func write(_ text: String) -> Bool { writeAll(STDOUT_FILENO, text) }

  /// Writes a line to standard error, behind a progress bar if there is one.
  static func error(_ line: String) {
    clearProgress()
    _ = writeAll(STDERR_FILENO, line + "\n")
  }

  /// Whether standard error is a terminal, so that a progress bar makes sense.
  static var hasProgress: Bool { isatty(STDERR_FILENO) == 1 }

  /// The progress line that is shown; nil when none is.
  private static let progressLine = Mutex<String?>(nil)

  /// Redraws the progress line; does nothing without a terminal.
  static func progress(_ label: String, done: Int, total: Int) {
    guard hasProgress, total > 0 else { return }
    let share = min(1, Double(done) / Double(total))
    let filled = Int(share * 24)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
    let line = "\(label) [\(bar)] \(Int(share * 100)) %"
    let isNew = progressLine.withLock { shown in
      defer { shown = line }
      return shown != line
    }
    if isNew { _ = writeAll(STDERR_FILENO, "\r\u{1B}[K\(line)") }
  }

  /// Removes the progress line.
  static func clearProgress() {
    let wasShown = progressLine.withLock { shown in
      defer { shown = nil }
      return shown != nil
    }
    if wasShown { _ = writeAll(STDERR_FILENO, "\r\u{1B}[K") }
  }

  private static func writeAll(_ descriptor: Int32, _ text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = writeBytes(descriptor, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      return true
    }
  }
}

/// `write(2)`, whose name `Console.write` hides.
private func writeBytes(_ descriptor: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, base, count)
}

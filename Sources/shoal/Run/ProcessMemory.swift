/// Memory of this process.
enum ProcessMemory {
  /// Most bytes it has had in memory so far; 0 where the system does not say.
  static var peakBytes: Int {
    guard let status = try? TopologyFile.bytes("/proc/self/status", limit: 1 << 20) else { return 0 }
    return peakBytes(inStatus: String(decoding: status, as: UTF8.self))
  }

  /// The line `VmHWM:   12345 kB` of a status file.
  static func peakBytes(inStatus status: String) -> Int {
    for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count == 3, words[2] == "kB", let count = Int(words[1]), count >= 0, count < 1 << 50 else { return 0 }
      return count * 1024
    }
    return 0
  }
}

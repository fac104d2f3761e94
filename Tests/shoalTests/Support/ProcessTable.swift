import Foundation

/// What /proc tells about processes.
enum ProcessTable {
  /// Living processes whose environment has the mark.
  static func processes(marked mark: String) -> [Int32] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return entries.compactMap { Int32($0) }.filter { pid in
      guard let variables = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { return false }
      return variables.range(of: Data(mark.utf8)) != nil
    }
  }

  /// The one of some processes that was started with these arguments, one after the other.
  static func process(of processes: [Int32], with arguments: [String]) -> Int32? {
    let wanted = Data(arguments.joined(separator: "\0").utf8 + [0])
    return processes.first { FileManager.default.contents(atPath: "/proc/\($0)/cmdline")?.range(of: wanted) != nil }
  }

  /// User and system time of a process, in ticks of the clock.
  static func cpuTime(_ pid: Int32) throws -> Int {
    let line = try String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
    // Behind the name in brackets: state is the first field, user time the twelfth.
    let fields = line[(line.lastIndex(of: ")") ?? line.startIndex)...].split(separator: " ")
    return (Int(fields[12]) ?? 0) + (Int(fields[13]) ?? 0)
  }

  /// Looks again and again, as the end of somebody else's child is announced to nobody here.
  static func wait(until deadline: Date, _ condition: () -> Bool) -> Bool {
    while !condition() {
      if Date() > deadline { return false }
      usleep(2_000)
    }
    return true
  }
}

import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How many compute threads suit this machine: one for each physical core, as two on one core share what they compute
/// with, and none for slow cores beside fast ones, which the fast ones would wait for.
enum MachineCores {
  /// Physical performance cores that this process may run on, at least 1.
  static let count = count(of: allowed, devices: URL(fileURLWithPath: "/sys/devices"))

  /// Counts cores as Linux tells of them below /sys/devices; what it does not tell counts as equal cores of one thread.
  /// - Parameter cpus: numbers of the logical CPUs that may be used.
  static func count(of cpus: Set<Int>, devices: URL) -> Int {
    let fast = fastest(of: cpus, devices)
    let cores = Set(fast.map { siblings(of: $0, devices) ?? [$0] })
    return max(1, cores.count)
  }

  /// Logical CPUs that share a core with one; nil when nobody knows.
  private static func siblings(of cpu: Int, _ devices: URL) -> Set<Int>? {
    let topology = devices.appending(path: "system/cpu/cpu\(cpu)/topology")
    return ["core_cpus_list", "thread_siblings_list"].lazy
      .compactMap { numbers(at: topology.appending(path: $0)) }.first { $0.contains(cpu) }
  }

  /// The performance cores of processors that have two kinds: Intel lists them, others state a capacity.
  private static func fastest(of cpus: Set<Int>, _ devices: URL) -> Set<Int> {
    if let listed = numbers(at: devices.appending(path: "cpu_core/cpus")), !listed.isDisjoint(with: cpus) {
      return listed.intersection(cpus)
    }
    let capacities = cpus.map { cpu in
      (cpu, numbers(at: devices.appending(path: "system/cpu/cpu\(cpu)/cpu_capacity"))?.first ?? 0)
    }
    let largest = capacities.map(\.1).max() ?? 0
    return Set(capacities.filter { 2 * $0.1 > largest || largest == 0 }.map(\.0))
  }

  /// A list such as `0-3,8`, here in a file; nil when there is none or it says something else.
  private static func numbers(at file: URL) -> Set<Int>? {
    (try? String(contentsOf: file, encoding: .utf8)).flatMap(numbers(in:))
  }

  private static func numbers(in text: String) -> Set<Int>? {
    var result: Set<Int> = []
    for part in text.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ",") {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = ends.first.flatMap(\.self), let last = ends.last.flatMap(\.self), ends.count <= 2,
        0 <= first, first <= last, last < 1 << 20
      else { return nil }
      result.formUnion(first...last)
    }
    return result
  }

  /// Logical CPUs that this process may run on.
  private static var allowed: Set<Int> {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let name = "Cpus_allowed_list:"
    if let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
      let cpus = numbers(in: String(line.dropFirst(name.count))), !cpus.isEmpty
    {
      return cpus
    }
    return Set(0..<max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
  }
}

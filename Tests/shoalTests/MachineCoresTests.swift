import Foundation
import Testing

@testable import shoal

/// Machines as Linux describes them.
@Suite struct MachineCoresTests {
  /// A folder like /sys/devices with these files.
  private func count(of cpus: Range<Int>, _ files: [String: String]) throws -> Int {
    let devices = FileManager.default.temporaryDirectory.appending(path: "shoal-cores-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: devices) }
    for (path, text) in files {
      let file = devices.appending(path: path)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    return MachineCores.count(of: Set(cpus), devices: devices)
  }

  private func siblings(_ lists: [Int: String]) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: lists.map { ("system/cpu/cpu\($0.key)/topology/core_cpus_list", $0.value + "\n") })
  }

  @Test("a machine that tells nothing has as many cores as CPUs")
  func silent() throws {
    #expect(try count(of: 0..<6, [:]) == 6)
    #expect(try count(of: 0..<2, siblings([0: "what?", 1: "3-1"])) == 2)
  }

  @Test("two threads of a core count once, also where only one of them may be used")
  func threads() throws {
    let files = siblings([0: "0,4", 1: "1,5", 2: "2,6", 3: "3,7", 4: "0,4", 5: "1,5", 6: "2,6", 7: "3,7"])
    #expect(try count(of: 0..<8, files) == 4)
    #expect(try count(of: 3..<5, files) == 2)
    #expect(try count(of: 0..<4, siblings([0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3"])) == 2)
  }

  @Test("slow cores are left out, unless only they may be used")
  func kinds() throws {
    let hybrid = siblings([0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4", 5: "5"])
      .merging(["cpu_core/cpus": "0-3\n"]) { first, _ in first }
    #expect(try count(of: 0..<6, hybrid) == 2)
    #expect(try count(of: 4..<6, hybrid) == 2)
    var capacities: [String: String] = [:]
    for cpu in 0..<8 { capacities["system/cpu/cpu\(cpu)/cpu_capacity"] = cpu < 4 ? "446\n" : "1024\n" }
    #expect(try count(of: 0..<8, capacities) == 4)
    #expect(try count(of: 0..<4, capacities) == 4)
  }
}

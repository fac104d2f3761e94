import Foundation
import Testing

/// Hosts of their own on this machine: `cluster/lab/lab`.
final class Lab {
  private static let script = Workshop.repository.appending(path: "cluster/lab/lab")
  private let directory: URL
  /// Where the coordinator takes jobs.
  private(set) var address = ""

  /// Runs its arguments without the files that it has open itself: `Process` notices the end of a child by one of them,
  /// and what the lab starts lives on.
  private static let shell = #"""
    for file in /proc/$$/fd/*; do
      number=${file##*/}
      if ((number > 2)); then closed+=" $number>&-"; fi
    done
    eval '"$@"' "$closed"
    """#

  /// Whether the kernel's own networks can be had.
  static let hasNamespaces: Bool = {
    let folders = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"]
    return geteuid() == 0
      && ["ip", "tc", "unshare"].allSatisfy { tool in
        folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)") }
      }
  }()

  /// Makes hosts with workers.
  init(hosts: Int) throws {
    directory = try Workshop.folder("lab-\(UUID().uuidString)")
    try run(["up", "\(hosts)", "--mode", "namespaces"])
    for host in 1...hosts { try run(["worker", "host\(host)"]) }
  }

  deinit { _ = try? run(["down"]) }

  /// What a command of the lab writes to standard output; it must end well.
  @discardableResult
  func run(_ arguments: [String]) throws -> String {
    let outcome = try RunningShoal(
      ["-c", Self.shell, "lab", Self.script.path] + arguments, program: URL(filePath: "/bin/bash"),
      environment: [
        "LAB_DIR": directory.path, "SHOAL": Workshop.program.path, "PATH": ProcessInfo.processInfo.environment["PATH"],
        // What it starts is to live on, and does not count as left behind.
        "SHOAL_TEST_MARK": nil, "XDG_STATE_HOME": nil,
      ]
    ).finish()
    guard outcome.status == 0 else {
      throw RunningShoal.Failure("lab \(arguments): \(outcome.status): \(outcome.errors)")
    }
    return outcome.text
  }

  /// Starts a coordinator.
  func serve(_ topology: [String]) throws {
    let file = try Workshop.file("lab.json", Data(run(["topology"] + topology).utf8)).path
    address = try run(["serve", file]).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  func json<Value: Decodable>(_ arguments: [String], as _: Value.Type = Value.self) throws -> Value {
    let text = try run(["shoal"] + arguments + ["--coordinator", address, "--json"])
    return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
  }

  func show() throws -> ShownTopology { try json(["topology", "show"]) }
  func jobs() throws -> [ListedJob] { try json(["jobs"]) }
  /// Tokens of all jobs so far.
  func tokenCount() throws -> Int { try jobs().reduce(0) { $0 + $1.tokens } }

  /// Asks again and again.
  func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: RunningShoal.patience)
    while try !condition() {
      guard Date() < deadline else {
        throw RunningShoal.Failure("\(what): did not come; \(try show()); \(try jobs()); \(try run(["logs", "hub"]))")
      }
    }
  }
}

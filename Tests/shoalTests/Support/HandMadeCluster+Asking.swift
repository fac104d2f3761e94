import Foundation
import Testing

/// An object of `shoal jobs --json`.
struct ListedJob: Decodable {
  let id: UInt64
  let state: String
  let tokens: Int
  let created: String
  let reason: String?
}

/// What `shoal topology show --coordinator --json` says.
struct ShownTopology: Decodable {
  struct Stage: Decodable, Equatable {
    let layers: String
    let host: String
    let experts: [String: String]
  }

  struct Placement: Decodable, Equatable {
    let nodes: [String]
    let stages: [Stage]
  }

  struct Node: Decodable {
    let address: String
    let connected: Bool
    let reason: String?
  }

  let epoch: Int
  let state: String
  let message: String
  let placement: Placement?
  let nodes: [String: Node]
}

/// What `shoal topology diff --json` says, as far as tests need it.
struct ShownDiff: Decodable {
  struct Node: Decodable {
    let name: String
    let gainedBytes: Int
  }

  struct Host: Decodable {
    let layers: String
    let from: String?
    let to: String
  }

  let isEmpty: Bool
  let bytesMax: Int
  let added: [String]
  let removed: [String]
  let nodes: [Node]
  let hosts: [Host]
}

extension RunningShoal {
  /// What a command wrote to standard output; it must have ended well.
  static func output(_ arguments: [String]) throws -> Data {
    let outcome = try run(arguments)
    guard outcome.status == 0 else { throw Failure("\(arguments): status \(outcome.status): \(outcome.errors)") }
    return outcome.output
  }

  static func json<Value: Decodable>(_ arguments: [String], as _: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(Value.self, from: output(arguments + ["--json"]))
  }
}

extension HandMadeCluster {
  // MARK: - Durable jobs

  /// Submits a job; standard output must be its id and nothing else.
  func submit(_ arguments: [String]) throws -> UInt64 {
    let text = String(
      decoding: try RunningShoal.output(["submit", "--coordinator", address] + arguments), as: UTF8.self)
    return try #require(UInt64(text.dropLast()), "\(text)")
  }

  func jobs() throws -> [ListedJob] { try RunningShoal.json(["jobs", "--coordinator", address]) }

  func job(_ id: UInt64) throws -> ListedJob { try #require(try jobs().first { $0.id == id }) }

  /// An `attach` that is under way.
  func attach(_ id: UInt64, _ arguments: [String] = ["--json"]) throws -> RunningShoal {
    try RunningShoal(["attach", "\(id)", "--coordinator", address] + arguments)
  }

  /// The tokens of a job that ends.
  func tokens(_ id: UInt64) throws -> [Int] { try attach(id).answers()[0].tokens }

  // MARK: - The topology

  func show() throws -> ShownTopology { try RunningShoal.json(["topology", "show", "--coordinator", address]) }

  func diff(_ file: String) throws -> ShownDiff {
    try RunningShoal.json(["topology", "diff", file, "--coordinator", address])
  }

  /// How a file is saved.
  enum Saving: CaseIterable {
    case inPlace, byRename
  }

  /// Saves the topology that the coordinator follows.
  func save(_ bytes: Data, _ way: Saving) throws {
    switch way {
    case .inPlace:
      let file = try FileHandle(forWritingTo: URL(filePath: topology))
      try file.truncate(atOffset: 0)
      try file.write(contentsOf: bytes)
      try file.close()
    case .byRename: try bytes.write(to: URL(filePath: topology), options: .atomic)
    }
  }

  func save(_ text: TopologyText, _ way: Saving = .byRename) throws {
    try save(Data(contentsOf: URL(filePath: text.with(addresses).write("next.json"))), way)
  }

  /// Asks again and again.
  func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    var failure: (any Error)?
    let isSo = ProcessTable.wait(until: Date(timeIntervalSinceNow: RunningShoal.patience)) {
      do { return try condition() } catch {
        failure = error
        return true
      }
    }
    if let failure { throw failure }
    guard isSo else {
      throw RunningShoal.Failure("\(what): did not come; \(try show()); \(try jobs()); \(coordinator.errorText)")
    }
  }

  /// Waits until a topology runs as it is written.
  @discardableResult
  func waitUntilRunning(_ text: TopologyText) throws -> ShownTopology {
    var shown = try show()
    try waitUntil("the topology runs") {
      shown = try show()
      return shown.state == "running" && shown.placement?.stages == text.shownStages
    }
    return shown
  }

  /// Bytes of weights that moved with the last change of placement.
  func bytesMovedLast() throws -> Int {
    let line = try #require(
      coordinator.errorText.split(separator: "\n").last { $0.contains("is running after a pause") })
    return try #require(try #/ ([0-9]+) bytes of weights moved/#.firstMatch(in: line).flatMap { Int($0.1) })
  }
}

extension TopologyText {
  /// Its stages as they are shown.
  var shownStages: [ShownTopology.Stage] {
    stages.map { .init(layers: $0.layers, host: $0.host, experts: $0.experts) }
  }
}

/// Jobs whose answers are known: one process has given them.
struct KnownJobs {
  private let arguments: [[String]]
  let tokens: [[Int]]

  init(_ count: Int, maxTokens: Int = 900) throws {
    let prompts = (0..<count).map { "\(10 * $0 + 7),\($0 + 5),3" }
    let settings = ["--max-tokens", "\(maxTokens)", "--seed", "7", "--ignore-eos"]
    arguments = prompts.map { ["--tokens", $0] + settings }
    let answers = try RunningShoal.generate(
      ["--topology", "none", "--model", Workshop.model.path, "--context", "1024"] + settings
        + prompts.flatMap { ["--tokens", $0] })
    tokens = answers.map(\.tokens)
  }

  /// Submits all of them in some way; returns their ids.
  func submit(_ one: ([String]) throws -> UInt64) throws -> [UInt64] { try arguments.map(one) }

  /// Submits all of them; returns their ids.
  func submit(to cluster: HandMadeCluster) throws -> [UInt64] { try arguments.map { try cluster.submit($0) } }

  /// Waits for their ends.
  func check(_ ids: [UInt64], of cluster: HandMadeCluster) throws {
    for (id, known) in zip(ids, tokens) { #expect(try cluster.tokens(id) == known, "job \(id)") }
  }
}

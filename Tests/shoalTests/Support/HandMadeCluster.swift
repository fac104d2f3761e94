import Foundation
import Testing

/// Workers and a coordinator started one by one, as on separate machines.
final class HandMadeCluster {
  private(set) var workers: [String: RunningShoal] = [:]
  private(set) var addresses: [String: String] = [:]
  /// The file that the coordinator follows.
  let topology: String
  /// The coordinator's state folder.
  let state: String
  private(set) var coordinator: RunningShoal
  private(set) var address: String
  private let arguments: [String: [String]]

  /// - Parameters:
  ///   - arguments: for each worker, on top of where it listens.
  ///   - spares: workers that the topology does not name yet.
  ///   - state: the coordinator's state folder; nil for a new one.
  ///   - awaits: what the coordinator is to say before this returns.
  init(
    _ text: TopologyText, arguments: [String: [String]] = [:], spares: [String] = [], state: String? = nil,
    awaits: String = "ready"
  ) throws {
    self.arguments = arguments
    for (name, node) in text.nodes where node.address == "local" {
      workers[name] = try Self.worker("127.0.0.1:0", arguments[name])
    }
    for name in spares { workers[name] = try Self.worker("127.0.0.1:0", arguments[name]) }
    addresses = try workers.mapValues { try $0.waitForAddress() }
    let id = UUID().uuidString
    self.state = state ?? Workshop.directory.appending(path: "state-\(id)").path
    topology = try text.with(addresses).write("by-hand-\(id).json")
    (coordinator, address) = try Self.serve(topology, self.state, "127.0.0.1:0", awaits)
  }

  /// A coordinator of a topology as it stands, the workers of which are local.
  init(file: URL) throws {
    arguments = [:]
    state = Workshop.directory.appending(path: "state-\(UUID().uuidString)").path
    topology = file.path
    (coordinator, address) = try Self.serve(topology, state, "127.0.0.1:0", "ready")
  }

  private static func worker(_ address: String, _ arguments: [String]?) throws -> RunningShoal {
    try RunningShoal(["worker", "--listen", address, "--threads", "1"] + (arguments ?? []))
  }

  private static func serve(
    _ topology: String, _ state: String, _ listen: String, _ awaits: String
  ) throws -> (RunningShoal, String) {
    let coordinator = try RunningShoal(["serve", "--topology", topology, "--listen", listen, "--state", state])
    let address = try coordinator.waitForAddress()
    try coordinator.waitForError(awaits)
    return (coordinator, address)
  }

  /// Ends the coordinator by a signal and starts another one at the same address, with the same state and workers.
  /// - Parameter meanwhile: done while there is none.
  func restartCoordinator(_ signal: Int32, awaits: String = "ready", meanwhile: () throws -> Void = {}) throws {
    coordinator.send(signal)
    _ = try coordinator.finish()
    try meanwhile()
    (coordinator, address) = try Self.serve(topology, state, address, awaits)
  }

  /// Ends a worker with kill -9.
  func kill(_ name: String) throws {
    let worker = try worker(name)
    worker.send(SIGKILL)
    _ = try worker.finish()
  }

  /// Starts a worker that has ended at the address where it was.
  func startAgain(_ name: String) throws {
    let worker = try Self.worker(#require(addresses[name]), arguments[name])
    workers[name] = worker
    _ = try worker.waitForAddress()
  }

  /// A client that is under way.
  func client(_ arguments: [String]) throws -> RunningShoal {
    try RunningShoal(["generate", "--coordinator", address] + arguments)
  }

  func worker(_ name: String) throws -> RunningShoal { try #require(workers[name]) }

  /// Ends everything in an orderly way.
  func stop() throws {
    coordinator.send(SIGTERM)
    let outcome = try coordinator.finish()
    #expect(outcome.status == 0, "\(outcome.errors)")
    for (name, worker) in workers {
      worker.send(SIGTERM)
      let outcome = try worker.finish()
      #expect(outcome.status == 0, "\(name): \(outcome.errors)")
    }
  }
}

/// A generation that is still under way whenever a test has seen its beginning: many long answers, one after another.
enum LongGeneration {
  static let arguments = arguments(answers: 12)

  static func arguments(answers: Int) -> [String] {
    (0..<answers).flatMap { ["--tokens", "\($0 + 1),2,3"] }
      + ["--max-tokens", "1000", "--temperature", "0", "--ignore-eos"]
  }

  /// Three local nodes that answer one prompt at a time.
  static var topology: TopologyText {
    var text = TopologyText.three
    (text.context, text.sequences) = (1024, 1)
    return text
  }
}

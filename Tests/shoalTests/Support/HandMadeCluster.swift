import Foundation
import Testing

/// Workers and a coordinator started one by one, as on separate machines.
final class HandMadeCluster {
  let workers: [String: RunningShoal]
  let addresses: [String: String]
  let topology: String
  private(set) var coordinator: RunningShoal
  private(set) var address: String

  /// - Parameter arguments: for each worker, on top of where it listens.
  init(_ text: TopologyText, arguments: [String: [String]] = [:]) throws {
    workers = try text.nodes.keys.reduce(into: [:]) { workers, name in
      workers[name] = try RunningShoal(
        ["worker", "--listen", "127.0.0.1:0", "--threads", "1"] + (arguments[name] ?? []))
    }
    addresses = try workers.mapValues { try $0.waitForAddress() }
    topology = try text.with(addresses).write("by-hand.json")
    (coordinator, address) = try Self.serve(topology)
  }

  private static func serve(_ topology: String) throws -> (RunningShoal, String) {
    let coordinator = try RunningShoal(["serve", "--topology", topology, "--listen", "127.0.0.1:0"])
    let address = try coordinator.waitForAddress()
    try coordinator.waitForError("ready")
    return (coordinator, address)
  }

  /// Ends the coordinator by a signal and starts another one with the same workers.
  func restartCoordinator(_ signal: Int32) throws {
    coordinator.send(signal)
    _ = try coordinator.finish()
    (coordinator, address) = try Self.serve(topology)
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

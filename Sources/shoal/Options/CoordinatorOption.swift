import ArgumentParser
import Coordinator
import Transport
import Wire

/// Which coordinator a command talks to.
struct CoordinatorOption: ParsableArguments {
  @Option(help: "The coordinator (shoal serve) at HOST:PORT.")
  var coordinator = "127.0.0.1:7069"

  /// How long a coordinator may take to answer.
  static let timeout = Duration.seconds(10)

  /// A connection, not yet made.
  func line() throws -> CoordinatorLine {
    CoordinatorLine(try HostPort(option: "--coordinator", coordinator), software: Shoal.release) {
      TCPControlPlane(logger: .shoal, pulse: nil, sink: $0)
    }
  }

  /// Asks one question.
  func ask(_ question: ControlMessage) throws -> ControlMessage { try line().ask(question, timeout: Self.timeout) }
}

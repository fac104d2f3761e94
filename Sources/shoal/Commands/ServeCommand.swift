import ArgumentParser
import Coordinator
import Transport

/// The coordinator, for clients that come and go.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Bring up a topology and take generation jobs from clients.")

  @OptionGroup var cluster: ClusterOptions
  @Option(help: "Where clients connect: HOST:PORT; port 0 takes any free one.")
  var listen = "127.0.0.1:7069"

  func run() throws {
    try withExitStatus {
      let address = try HostPort(option: "--listen", listen)
      try Loopback.require(address, of: "shoal serve", insecure: cluster.insecure)
      let plan = try ClusterPlan(cluster)
      guard let topology = plan.topology else {
        throw InputError(.usage, "shoal serve needs a topology; one with a single local node runs everything here")
      }
      let mailbox = Mailbox<Event>(capacity: 64)
      try SignalWatch.start { _ in mailbox.post(.signal) }
      let running = try TopologyCluster.start(plan, topology, cluster, clients: address) { status in
        StatusPrinter.print(status)
        switch status {
        case .ready(let nodes, let stages): mailbox.post(.ready(nodes: nodes, stages: stages))
        case .failed(let error): mailbox.post(.failed(error))
        default: break
        }
      }
      defer { running.stop() }
      if let address = running.address { Console.error("shoal serve: listening on \(address)") }
      try attend(mailbox)
    }
  }

  /// What ends a coordinator, or is worth a line.
  private enum Event: Sendable {
    case ready(nodes: Int, stages: Int)
    case failed(CoordinatorError)
    case signal
  }

  /// Until a signal comes.
  /// - Throws: what the cluster failed of; nothing brings it up again yet, so whoever runs this command must.
  private func attend(_ mailbox: Mailbox<Event>) throws {
    while true {
      mailbox.wait()
      switch mailbox.take() {
      case .ready(let nodes, let stages): Console.error("shoal serve: ready (\(nodes) nodes, \(stages) stages)")
      case .failed(let error):
        // Clients are told first, over connections that end with this process.
        mailbox.wait(until: .now + .seconds(1))
        throw error
      case .signal: return
      case nil: break
      }
    }
  }
}

import ArgumentParser
import Cluster
import Coordinator
import JobStore
import Transport

/// The coordinator, for clients that come and go.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run a topology, follow its edits, and take generation jobs from clients.")

  @OptionGroup var cluster: ClusterOptions
  @Option(help: "Where clients connect: HOST:PORT; port 0 takes any free one.")
  var listen = "127.0.0.1:7069"
  @Option(help: "The folder that keeps jobs and identity between starts (default $XDG_STATE_HOME/shoal).")
  var state: String?

  func run() throws {
    try withExitStatus {
      let address = try HostPort(option: "--listen", listen)
      try Loopback.require(address, of: "shoal serve", insecure: cluster.insecure)
      guard case .topology(let path) = cluster.source else {
        throw InputError(.usage, "shoal serve needs a topology; one with a single local node runs everything here")
      }
      let state = try CoordinatorState(path: state)
      let start = try ServeStart(path: path, options: cluster, folder: state.folder)
      let mailbox = Mailbox<Event>(capacity: 64)
      try SignalWatch.start { _ in mailbox.post(.signal) }
      let service = TopologyCluster.Service(clients: address, state: state, refusal: start.refusal)
      let running = try TopologyCluster.start(
        start.plan, start.topology, cluster, source: start.source, service: service
      ) { status in
        ServicePrinter.print(status)
        if case .failed(let error) = status { mailbox.post(.failed(error)) }
      }
      defer { running.stop() }
      let reader = TopologyReader(path: path, plan: start.plan, topology: start.topology, options: cluster)
      let watcher = try TopologyWatcher(path: path) { running.handle?.edited(reader.read()) }
      defer { watcher.stop() }
      // A save while the model was hashed came before anybody watched.
      let now = try? TopologyFile.bytes(path, limit: StateFolder.topologyBytesMax)
      if start.refusal == nil, let now, now != start.source { running.handle?.edited(reader.read()) }
      if let address = running.address { Console.error("shoal serve: listening on \(address)") }
      try attend(mailbox)
    }
  }

  /// What ends a coordinator.
  private enum Event: Sendable {
    case failed(CoordinatorError)
    case signal
  }

  /// Until a signal comes.
  private func attend(_ mailbox: Mailbox<Event>) throws {
    while true {
      mailbox.wait()
      switch mailbox.take() {
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

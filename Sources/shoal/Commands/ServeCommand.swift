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
      let address = try HostPort(parsing: listen)
      try Loopback.require(address, insecure: cluster.insecure)
      let plan = try ClusterPlan(cluster)
      guard let topology = plan.topology else {
        throw ValidationError("shoal serve needs a topology; one with a single local node runs everything here")
      }
      let mailbox = Mailbox<Int32>(capacity: 16)
      let signals = SignalWatch { mailbox.post($0) }
      defer { signals.cancel() }
      let running = try TopologyCluster.start(plan, topology, cluster, clients: address)
      defer { running.stop() }
      if let address = running.address { Console.error("shoal serve: listening on \(address)") }
      mailbox.wait()
    }
  }
}

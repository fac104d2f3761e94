import Cluster
import Coordinator
import Logging
import ModelSpec
import Tensors
import Transport
import Wire

/// A coordinator in this process, with the topology's local nodes as child processes.
enum TopologyCluster {
  static func start(
    _ plan: ClusterPlan, _ topology: Topology, _ options: ClusterOptions,
    cluster: ClusterID = .random(), term: CoordinatorTerm = CoordinatorTerm(rawValue: 1),
    clients: HostPort? = nil, status: @escaping @Sendable (CoordinatorStatus) -> Void
  ) throws -> RunningCluster {
    let nodes = try TopologyNodes(topology, plan.placement, options)
    // A set of kernels that this machine lacks is found here, and not by each local worker.
    if !nodes.plans.isEmpty { _ = try options.kernels?.select() }
    let handle = CoordinatorHandle()
    let plane = TCPControlPlane(logger: .shoal, sink: handle.controlSink)
    let supply = TCPWeightSupply(plan.model.reader)
    let acceptor = try clients.map { address in
      try Acceptor(listen: address, logger: .shoal, handlers: [.control: { plane.adopt($0, remote: $1) }])
    }
    let configuration = plan.configuration(
      cluster: cluster, term: term, addresses: nodes.addresses, advertised: nodes.advertised)
    let workers = LocalWorkers { event in Self.handle(event, plan.placement, handle) }
    try workers.start(nodes.plans)
    let coordinator: PlatformThread
    do {
      coordinator = try PlatformThread {
        CoordinatorShell(
          handle: handle, configuration: configuration, plane: plane, weights: supply, status: status
        ).run()
      }
    } catch {
      workers.stop()
      throw error
    }
    return RunningCluster(submitter: handle, address: acceptor?.address) {
      acceptor?.stop()
      handle.stop()
      coordinator.join()
      workers.stop()
    }
  }

  private static func handle(_ event: LocalWorkerEvent, _ placement: Placement, _ handle: CoordinatorHandle) {
    func index(_ node: NodeID) -> NodeIndex? { placement.nodes.firstIndex(of: node).map { NodeIndex($0) } }
    switch event {
    case .listening(let node, let address):
      guard let index = index(node) else { return }
      do {
        handle.nodeListens(index, at: try HostPort(parsing: address))
      } catch {
        handle.nodeEnded(index, CoordinatorError(.startFailed, node: node, "\(node): \(error)"))
      }
    case .output(let node, let line): Console.error("\(node): \(line)")
    case .exited(let node, let error):
      if let index = index(node) { handle.nodeEnded(index, error) }
    }
  }
}

/// How the nodes of a topology are reached or started.
struct TopologyNodes {
  /// Of the nodes that somebody else has started.
  private(set) var addresses: [NodeID: HostPort] = [:]
  private(set) var advertised: [NodeID: HostPort] = [:]
  /// Of the nodes this process starts.
  private(set) var plans: [LocalWorkerPlan] = []

  /// Nodes that hold nothing are left alone.
  init(_ topology: Topology, _ placement: Placement, _ options: ClusterOptions) throws {
    let participants = Set(placement.participants.map { placement.nodes[$0.rawValue] })
    for node in topology.nodes {
      guard case .remote(let text) = node.address else { continue }
      addresses[node.name.value] = try HostPort(parsing: text)
    }
    let host = try hostOfLocalNodes(topology)
    for node in topology.nodes where participants.contains(node.name.value) {
      let name = node.name.value
      if let address = addresses[name] {
        if let text = node.advertised(listeningOn: Int(address.port)) {
          advertised[name] = try HostPort(parsing: text)
        }
      } else {
        // A worker of this machine simply listens where it is to be found.
        let advertised = try node.advertised(listeningOn: 0).map { try HostPort(parsing: $0) }
        let listen = advertised ?? HostPort(host: host, port: 0)
        try Loopback.require(listen, of: "the local worker \(name)", insecure: options.insecure)
        plans.append(Self.plan(node, topology, options, listen: listen))
      }
    }
  }

  /// Where local nodes are found by all others: on loopback, unless one of the others is on another machine.
  private func hostOfLocalNodes(_ topology: Topology) throws -> String {
    let others = topology.nodes.compactMap { addresses[$0.name.value] }
    guard others.count < topology.nodes.count, let beyond = others.first(where: { !Loopback.contains($0) }) else {
      return "127.0.0.1"
    }
    return try OutwardAddress.host(towards: beyond)
  }

  private static func plan(
    _ node: TopologyNode, _ topology: Topology, _ options: ClusterOptions, listen: HostPort
  ) -> LocalWorkerPlan {
    let threads =
      node.threads?.value ?? options.threads ?? topology.threadCount(of: node, cores: ClusterStarter.coreCount)
    var arguments = [
      "worker", "--parent-pipe", "--listen", "\(listen)", "--name", node.name.value.rawValue,
      "--threads", "\(threads)", "--kernels", (options.kernels ?? .auto).rawValue,
    ]
    if let memory = node.memoryBytes { arguments += ["--memory", "\(memory.value)B"] }
    if let store = options.store { arguments += ["--store", store] }
    if options.insecure { arguments.append("--insecure") }
    return LocalWorkerPlan(node: node.name.value, arguments: arguments)
  }
}

import Cluster
import Coordinator
import Tensors
import Transport

/// How the nodes of a topology are reached or started.
struct TopologyNodes {
  /// In the topology's order.
  private(set) var plans: [NodePlan] = []

  /// - Parameter modelFile: read by local nodes themselves; nil to send them their weights.
  init(_ topology: Topology, _ options: ClusterOptions, modelFile: String? = nil) throws {
    var addresses: [NodeID: HostPort] = [:]
    for node in topology.nodes {
      guard case .remote(let text) = node.address else { continue }
      addresses[node.name.value] = try HostPort(parsing: text)
    }
    let host = try Self.hostOfLocalNodes(topology, addresses)
    for node in topology.nodes {
      let name = node.name.value
      let memory = node.memoryBytes?.value
      if let address = addresses[name] {
        let advertised = try node.advertised(listeningOn: Int(address.port)).map { try HostPort(parsing: $0) }
        plans.append(NodePlan(id: name, address: address, advertised: advertised, memoryBytes: memory))
      } else {
        // A worker of this machine simply listens where it is to be found.
        let advertised = try node.advertised(listeningOn: 0).map { try HostPort(parsing: $0) }
        let listen = advertised ?? HostPort(host: host, port: 0)
        try Loopback.require(listen, of: "the local worker \(name)", insecure: options.insecure)
        plans.append(
          NodePlan(
            id: name, address: nil, memoryBytes: memory,
            launch: Self.arguments(node, topology, options, listen: listen)
              + (modelFile.map { ["--models", $0] } ?? []),
            settings: ["\(listen)", "\(node.threads?.value ?? 0)", "\(memory ?? 0)"]))
      }
    }
  }

  /// Where local nodes are found by all others: on loopback, unless one of the others is on another machine.
  private static func hostOfLocalNodes(_ topology: Topology, _ addresses: [NodeID: HostPort]) throws -> String {
    let others = topology.nodes.compactMap { addresses[$0.name.value] }
    guard others.count < topology.nodes.count, let beyond = others.first(where: { !Loopback.contains($0) }) else {
      return "127.0.0.1"
    }
    return try OutwardAddress.host(towards: beyond)
  }

  /// Compute threads of a local node.
  static func threads(of node: TopologyNode, _ topology: Topology, _ options: ClusterOptions) -> Int {
    node.threads?.value ?? options.threads ?? topology.threadCount(of: node, cores: MachineCores.count)
  }

  private static func arguments(
    _ node: TopologyNode, _ topology: Topology, _ options: ClusterOptions, listen: HostPort
  ) -> [String] {
    var arguments = [
      "worker", "--parent-pipe", "--listen", "\(listen)", "--name", node.name.value.rawValue,
      "--threads", "\(threads(of: node, topology, options))", "--kernels", (options.kernels ?? .auto).rawValue,
    ]
    if let memory = node.memoryBytes { arguments += ["--memory", ByteCountText.exact(memory.value)] }
    if let store = options.store { arguments += ["--store", store] }
    if let budget = options.storeBudget { arguments += ["--store-budget", budget] }
    if options.insecure { arguments.append("--insecure") }
    return arguments
  }
}

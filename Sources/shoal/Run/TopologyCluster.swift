import Cluster
import Coordinator
import JobStore
import Logging
import Tensors
import Transport
import Wire

/// A coordinator in this process, with the topology's local nodes as child processes.
enum TopologyCluster {
  /// What `shoal serve` adds to a cluster that is there for one command.
  struct Service {
    /// Where clients connect.
    let clients: HostPort
    let state: CoordinatorState
    /// What was wrong with the topology file, when the last accepted one is run instead.
    let refusal: String?
  }

  /// - Parameters:
  ///   - modelFile: read by local nodes themselves; nil to send them their weights.
  ///   - status: told how the cluster gets on, on the coordinator's thread.
  static func start(
    _ plan: ClusterPlan, _ topology: Topology, _ options: ClusterOptions, source: [UInt8] = [],
    service: Service? = nil, modelFile: String? = nil, status: @escaping @Sendable (CoordinatorStatus) -> Void
  ) throws -> RunningCluster {
    let nodes = try TopologyNodes(topology, options, modelFile: modelFile).plans
    // A set of kernels that this machine lacks is found here, and not by each local worker.
    if nodes.contains(where: { $0.launch != nil }) { _ = try options.kernels?.select() }
    let handle = CoordinatorHandle()
    let plane = TCPControlPlane(logger: .shoal, pulse: nil, sink: handle.controlSink)
    let supply = TCPWeightSupply(plan.model.reader)
    let acceptor = try service.map {
      try Acceptor(listen: $0.clients, logger: .shoal, handlers: [.control: { plane.adopt($0, remote: $1) }])
    }
    let desired = DesiredCluster(
      placement: plan.placement, nodes: nodes, sequences: plan.sequences, source: source)
    let configuration = configuration(plan, desired, service)
    let workers = LocalWorkers { event in Self.handle(event, handle) }
    let local = ChildNodes(workers: workers, handle: handle)
    let journal = service?.state.journal
    let coordinator = try PlatformThread {
      CoordinatorShell(
        handle: handle, configuration: configuration, plane: plane, weights: supply, local: local, journal: journal,
        status: status
      ).run()
    }
    return RunningCluster(submitter: handle, handle: handle, address: acceptor?.address) {
      acceptor?.stop()
      handle.stop()
      coordinator.join()
      workers.stop()
    }
  }

  private static func configuration(
    _ plan: ClusterPlan, _ desired: DesiredCluster, _ service: Service?
  ) -> CoordinatorConfiguration {
    guard let service else {
      return plan.configuration(cluster: .random(), term: CoordinatorTerm(rawValue: 1), desired: desired)
    }
    let state = service.state
    var configuration = plan.configuration(
      cluster: ClusterID(high: state.identity.high, low: state.identity.low), term: state.identity.term,
      desired: desired)
    configuration.bringUp = .patient
    configuration.storedJobs = state.jobs
    configuration.nextJob = state.nextJob
    configuration.startTime = WallClock.milliseconds
    configuration.refusal = service.refusal
    return configuration
  }

  private static func handle(_ event: LocalWorkerEvent, _ handle: CoordinatorHandle) {
    switch event {
    case .listening(let node, let address):
      do {
        handle.nodeListens(node, at: try HostPort(parsing: address))
      } catch {
        handle.nodeEnded(node, CoordinatorError(.startFailed, node: node, "\(node): \(error)"))
      }
    case .output(let node, let line): Console.error("\(node): \(line)")
    case .exited(let node, let error): handle.nodeEnded(node, error)
    }
  }
}

/// The topology's local nodes, as child processes.
private struct ChildNodes: LocalNodes {
  let workers: LocalWorkers
  let handle: CoordinatorHandle

  func start(_ node: NodeID, arguments: [String]) {
    do throws(CoordinatorError) {
      try workers.start(LocalWorkerPlan(node: node, arguments: arguments))
    } catch {
      handle.nodeEnded(node, error)
    }
  }

  func stop(_ node: NodeID) { workers.stop(node) }
}

import Coordinator
import Logging
import ShardStore
import Tensors
import Transport
import Wire
import Worker

/// One node that is coordinator and worker, over in-process planes: the same path as many nodes.
enum InProcessCluster {
  private static let node: NodeID = "local"

  /// Starts the coordinator's and the worker's threads.
  static func start(
    _ plan: ClusterPlan, kernels: KernelChoice, threads: Int
  ) throws -> RunningCluster {
    let network = InProcessNetwork()
    let address = HostPort(host: "local", port: 1)
    let worker = try startWorker(plan, network, address, kernels: kernels, threads: threads)
    let handle = CoordinatorHandle()
    let plane = InProcessControlPlane(network: network, name: "coordinator", sink: handle.controlSink)
    let desired = DesiredCluster(
      placement: plan.placement, nodes: [NodePlan(id: node, address: address)], sequences: plan.sequences)
    let setup = plan.configuration(cluster: .random(), term: CoordinatorTerm(rawValue: 1), desired: desired)
    let coordinator = try PlatformThread {
      CoordinatorShell(handle: handle, configuration: setup, plane: plane, weights: NoWeightSupply()) {
        StatusPrinter.print($0)
      }.run()
    }
    return RunningCluster(submitter: handle) {
      handle.stop()
      coordinator.join()
      worker.mailbox.post(.stop)
      worker.thread.join()
    }
  }

  private static func startWorker(
    _ plan: ClusterPlan, _ network: InProcessNetwork, _ address: HostPort, kernels: KernelChoice, threads: Int
  ) throws -> (thread: PlatformThread, mailbox: Mailbox<WorkerEvent>) {
    let configuration = WorkerConfiguration(name: node, kernels: try kernels.select(), threads: threads)
    let reader = plan.model.reader
    let data = InProcessDataPlane(network: network, node: node)
    let waker = data.waker
    let mailbox = Mailbox<WorkerEvent>(capacity: 1 << 16) { waker.wake() }
    let pulse = configuration.pulse
    let control = InProcessControlPlane(network: network, name: node.rawValue, address: address, pulse: pulse) {
      mailbox.post(.control($0))
    }
    let thread = try PlatformThread {
      let arena = WeightArena()
      let loader = ShareLoader(
        arena: arena, kernels: configuration.kernels, store: nil, sources: { _ in [ModelFileSource(reader)] },
        warning: { Console.error("shoal: \($0)") })
      WorkerShell(
        configuration: configuration, control: control, data: data, loader: loader, arena: arena, mailbox: mailbox,
        logger: .shoal
      ).run()
    }
    return (thread, mailbox)
  }
}

/// For workers that have the model's files themselves.
struct NoWeightSupply: WeightSupply {
  func serve(_ node: NodeID, at address: HostPort) {}
  func stop(_ node: NodeID) {}
  var counters: TrafficCounters { TrafficCounters() }
}

import Coordinator
import Logging
import ShardStore
import Tensors
import Transport
import Wire
import Worker

/// One node that is coordinator and worker, over in-process planes: the same path as many nodes.
///
/// Both go round on one thread, that of the engine, so that a step's way there and back wakes nobody.
enum InProcessCluster {
  private static let node: NodeID = "local"

  /// Starts the thread of coordinator and worker.
  static func start(
    _ plan: ClusterPlan, kernels: KernelChoice, threads: Int
  ) throws -> RunningCluster {
    let network = InProcessNetwork()
    let address = HostPort(host: "local", port: 1)
    let configuration = WorkerConfiguration(name: node, kernels: try kernels.select(), threads: threads)
    let data = InProcessDataPlane(network: network, node: node)
    let waker = data.waker
    let handle = CoordinatorHandle { waker.wake() }
    let plane = InProcessControlPlane(network: network, name: "coordinator", sink: handle.controlSink)
    let desired = DesiredCluster(
      placement: plan.placement, nodes: [NodePlan(id: node, address: address)], sequences: plan.sequences)
    let setup = plan.configuration(cluster: .random(), term: CoordinatorTerm(rawValue: 1), desired: desired)
    let mailbox = Mailbox<WorkerEvent>(capacity: 1 << 16) { waker.wake() }
    let control = InProcessControlPlane(
      network: network, name: node.rawValue, address: address, pulse: configuration.pulse
    ) {
      mailbox.post(.control($0))
    }
    let reader = plan.model.reader
    let thread = try PlatformThread {
      let coordinator = CoordinatorShell(handle: handle, configuration: setup, plane: plane, weights: NoWeightSupply())
      {
        StatusPrinter.print($0)
      }
      let arena = WeightArena()
      let loader = ShareLoader(
        arena: arena, kernels: configuration.kernels, store: nil, threads: threads,
        sources: { _ in [ModelFileSource(reader)] },
        warning: { Console.error("shoal: \($0)") })
      let worker = WorkerShell(
        configuration: configuration, control: control, data: data, loader: loader, arena: arena, mailbox: mailbox,
        logger: .shoal)
      run(coordinator, worker, configuration.pulse, data)
    }
    return RunningCluster(submitter: handle) {
      handle.stop()
      thread.join()
    }
  }

  /// Goes round until the coordinator is stopped.
  private static func run(
    _ coordinator: CoordinatorShell, _ worker: WorkerShell, _ pulse: Pulse, _ data: InProcessDataPlane
  ) {
    while !coordinator.isStopped {
      pulse.isWorking = true
      let now = ContinuousClock.now
      let coordinates = coordinator.advance(now: now)
      if worker.advance(now: now) || coordinates { continue }
      pulse.isWorking = false
      data.wait(until: [coordinator.nextDeadline, worker.nextDeadline].compactMap { $0 }.min())
    }
    coordinator.finish()
  }
}

/// For workers that have the model's files themselves.
struct NoWeightSupply: WeightSupply {
  func serve(_ node: NodeID, at address: HostPort) {}
  func stop(_ node: NodeID) {}
  var counters: TrafficCounters { TrafficCounters() }
}

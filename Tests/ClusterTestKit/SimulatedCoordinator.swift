public import Coordinator
import Kernels
import Synchronization
public import Tensors
import Transport
import Wire

/// A real coordinator on the simulation's thread.
public final class SimulatedCoordinator {
  /// Its name in the network.
  public let name: String
  /// The real thing.
  public let shell: CoordinatorShell
  /// What it sends instead of the truth.
  public let tampering = Tampering()
  let handle: CoordinatorHandle
  private let plane: InProcessControlPlane
  private let reports: Reports

  private final class Reports: Sendable {
    let all = Mutex<[CoordinatorStatus]>([])
  }

  init(
    _ number: Int, configuration: CoordinatorConfiguration, network: InProcessNetwork, log: EventLog,
    journal: SimulatedState?
  ) {
    name = "coordinator-\(number)"
    handle = CoordinatorHandle()
    plane = InProcessControlPlane(
      network: network, name: name, address: journal == nil ? nil : Self.address, sink: handle.controlSink)
    let reports = Reports()
    self.reports = reports
    shell = CoordinatorShell(
      handle: handle, configuration: configuration,
      plane: TamperedControlPlane(plane: plane, tampering: tampering), weights: NoWeightSupply(),
      journal: journal
    ) { [name] status in
      reports.all.withLock { $0.append(status) }
      log.append(.status(coordinator: name, status))
    }
  }

  /// Where clients reach a coordinator that keeps durable jobs.
  static let address = HostPort(host: "coordinator", port: 1)

  /// Everything it has reported.
  public var statuses: [CoordinatorStatus] { reports.all.withLock { $0 } }

  /// Whether jobs run.
  public var isReady: Bool {
    statuses.contains { status in
      if case .ready = status { true } else { false }
    }
  }

  /// Why its cluster is down.
  public var failure: CoordinatorError? {
    for case .failed(let error) in statuses { return error }
    return nil
  }

  /// Bytes of weights that each node fetched for this coordinator.
  public var bytesMoved: [NodeID: Int] {
    var moved: [NodeID: Int] = [:]
    for case .prepared(let node, let bytes) in statuses { moved[node] = bytes }
    return moved
  }

  /// Gone, as when its process is killed.
  func die() { plane.stop() }
}

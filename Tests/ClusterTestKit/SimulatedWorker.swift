import Kernels
import Logging
import ShardStore
public import Tensors
import Transport
public import Worker

/// A real worker with a real engine, on the simulation's thread.
public final class SimulatedWorker {
  /// Its name.
  public let node: NodeID
  /// The real thing.
  public let shell: WorkerShell
  /// Where its weights are.
  public let arena = WeightArena()
  /// What it sends instead of the truth.
  public let tampering = Tampering()
  /// What its system answers pings with.
  let pulse = Pulse()
  private let control: InProcessControlPlane
  private let data: InProcessDataPlane

  init(
    _ node: NodeID, network: InProcessNetwork, kernels: Kernels, threads: Int, memory: Int?,
    sources: [any PieceSource], store: ShardStore?, memoryStore: SimulatedStore?, clock: SimulatedClock,
    peers: SimulatedPeers
  ) {
    self.node = node
    let mailbox = Mailbox<WorkerEvent>(capacity: 1 << 16)
    control = InProcessControlPlane(
      network: network, name: node.rawValue, address: Self.address(of: node), pulse: pulse
    ) {
      mailbox.post(.control($0))
    }
    data = InProcessDataPlane(network: network, node: node)
    let all = (store.map { [StoreSource($0)] } ?? []) + sources
    let own: [any PieceSource] = memoryStore.map { [$0] } ?? []
    let loader = ShareLoader(
      arena: arena, kernels: kernels, store: store, isInline: true,
      sources: { request in
        guard let pieces = request.peers, let last = all.last, last.origin == .network else { return own + all }
        let far: [any PieceSource] = [SimulatedPeerSource(pieces, peers), last]
        guard let memoryStore else { return all.dropLast() + far }
        return own + all.dropLast() + far.map { StoringSource($0, memoryStore) }
      }, warning: { _ in })
    var configuration = WorkerConfiguration(
      name: node, kernels: kernels, threads: threads, memoryLimit: memory, store: store, pulse: pulse)
    configuration.clock = { clock.now }
    peers.set(node, configuration.shelf)
    shell = WorkerShell(
      configuration: configuration,
      control: TamperedControlPlane(plane: control, tampering: tampering),
      data: TamperedDataPlane(data, tampering, clock), loader: loader, arena: arena, mailbox: mailbox,
      logger: Logger(label: node.rawValue) { _ in SwiftLogNoOpLogHandler() })
  }

  static func address(of node: NodeID) -> HostPort { HostPort(host: node.rawValue, port: 1) }

  /// Frames of other placements or coordinators that it has dropped.
  public var staleFrames: UInt64 { data.staleFrames }

  /// Gone, as when its process is killed.
  func die() {
    control.stop()
    data.stop()
  }
}

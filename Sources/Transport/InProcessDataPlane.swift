public import Cluster
public import Tensors
public import Wire
import Synchronization

/// The data plane between nodes of one process: a bounded queue a direction, and the same frames and events as over
/// TCP. The planes may be used from one thread or from a thread each.
///
/// Time does not exist here: a peer that cannot be reached is told at once, when `reach` asks for it and when that comes
/// to be so, and only then; one that is there but does not ask for this node yet is waited for in silence.
public final class InProcessDataPlane: DataPlane {
  private let network: InProcessNetwork
  private let node: NodeID
  private let pipe = PipeWaker()
  private var configuration: DataPlaneConfiguration?
  private var indices: [NodeID: NodeIndex] = [:]
  private var peers: [NodeIndex: NodeID] = [:]
  /// Peers that the handler was told are lost.
  private var lost: Set<NodeID> = []
  public private(set) var counters = TrafficCounters()
  public private(set) var staleFrames: UInt64 = 0

  public var waker: any Waker { pipe }

  /// - Parameter node: the name under which others reach it.
  public init(network: InProcessNetwork, node: NodeID) {
    self.network = network
    self.node = node
    let pipe = pipe
    let isNew = network.state.withLock { $0.data.register(node, pipe) }
    precondition(isNew, "two in-process data planes named \(node)")
  }

  deinit { stop() }

  /// Breaks all connections, as when the process dies; the name is free again.
  public func stop() {
    network.change { $0.removeData(node) }
  }

  public func configure(_ configuration: DataPlaneConfiguration) {
    precondition(configuration.node == node, "a data plane of \(node) configured as \(configuration.node)")
    self.configuration = configuration
    indices = [:]
    peers = [:]
    for peer in configuration.peers where peer.id != node {
      indices[peer.id] = peer.index
      peers[peer.index] = peer.id
    }
    lost = []
    let membership = InProcessDataState.Membership(
      identity: configuration.identity, epoch: configuration.epoch, peers: Set(indices.keys))
    network.change { [node] in $0.configureData(node, membership) }
  }

  public func reach(_ peers: [DataPeer], as identity: DataIdentity) {
    precondition(identity.node == node, "a data plane of \(node) that is to greet as \(identity.node)")
    if let configuration, configuration.cluster != identity.cluster { end() }
    let wanted = Set(peers.map(\.id)).subtracting([node])
    network.change { [node] in $0.reachData(node, wanted, as: identity) }
  }

  /// The running placement is over.
  private func end() {
    configuration = nil
    indices = [:]
    peers = [:]
  }

  public func send(
    _ type: FrameType, to peer: NodeIndex, flags: FrameHeader.Flags, stream: UInt64, payloadBytes: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError) {
    precondition(type.plane == .data && payloadBytes <= type.payloadLimit, "no data frame: \(type)")
    guard let configuration, let target = peers[peer] else {
      throw TransportError(.notConnected, "node \(peer) is no peer of \(node)")
    }
    let bytes = [UInt8](unsafeUninitializedCapacity: FrameHeader.byteCount + payloadBytes) { bytes, count in
      let raw = UnsafeMutableRawBufferPointer(bytes)
      let payload = UnsafeMutableRawBufferPointer(rebasing: raw[FrameHeader.byteCount..<raw.count])
      fill(UnsafeMutableRawBufferPointer(rebasing: payload[..<payloadBytes]))
      FrameHeader(
        type: type, flags: flags, epoch: configuration.epoch, term: configuration.term, stream: stream,
        payload: UnsafeRawBufferPointer(rebasing: payload[..<payloadBytes])
      ).write(to: raw)
      count = FrameHeader.byteCount + payloadBytes
    }
    let error = network.change { [node] in $0.sendData(bytes, from: node, to: target) }
    if let error { throw error }
    counters.dataBytes += UInt64(bytes.count)
    counters.dataFrames += 1
  }

  public func poll(_ handler: (DataEvent) -> Void) {
    while let item = network.state.withLock({ $0.data.take(node) }) {
      switch item {
      case .connected(let peer):
        lost.remove(peer)
        if let index = indices[peer] { handler(.connected(index)) }
      case .lost(let peer, let error):
        lost.insert(peer)
        if let index = indices[peer] { handler(.lost(index, error)) }
      case .reached(let peer): handler(.reached(peer))
      case .unreachable(let peer, let error): handler(.unreachable(peer, error))
      case .frame(let peer, let header, let bytes):
        guard let index = indices[peer], !lost.contains(peer), header.epoch == configuration?.epoch,
          header.term == configuration?.term
        else {
          staleFrames += 1
          continue
        }
        bytes.withUnsafeBytes { bytes in
          let payload = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
          handler(.frame(index, header, payload))
        }
      }
    }
  }

  public func wait(until deadline: ContinuousClock.Instant?) {
    guard network.state.withLock({ $0.data.isEmpty(node) }) else { return pipe.clear() }
    pipe.wait(until: deadline)
  }
}

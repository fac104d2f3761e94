public import Cluster
public import Tensors
public import Wire
import Synchronization

/// The data plane between nodes of one process: a bounded queue a direction, and the same frames and events as over
/// TCP. The planes may be used from one thread or from a thread each.
public final class InProcessDataPlane: DataPlane {
  private let network: InProcessNetwork
  private let node: NodeID
  private let pipe = PipeWaker()
  private var configuration: DataPlaneConfiguration?
  private var indices: [NodeID: NodeIndex] = [:]
  private var peers: [NodeIndex: NodeID] = [:]
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
    let names = indices.keys.sorted()
    network.change { [node] in
      $0.configureData(node, .init(cluster: configuration.cluster, term: configuration.term, peers: Set(names)))
    }
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
        if let index = indices[peer] { handler(.connected(index)) }
      case .lost(let peer, let error):
        if let index = indices[peer] { handler(.lost(index, error)) }
      case .frame(let peer, let header, let bytes):
        guard let index = indices[peer], header.epoch == configuration?.epoch, header.term == configuration?.term
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

/// Data planes and connections of an in-process network.
struct InProcessDataState {
  enum Item: Sendable {
    case connected(NodeID)
    case lost(NodeID, TransportError)
    case frame(NodeID, FrameHeader, [UInt8])
  }

  struct Membership: Sendable {
    let cluster: ClusterID
    let term: CoordinatorTerm
    let peers: Set<NodeID>
  }

  struct Node {
    let waker: PipeWaker
    var membership: Membership?
    var items: [Item] = []
    var head = 0
    /// Bytes of frames that wait, by sender.
    var waiting: [NodeID: Int] = [:]
  }

  enum Connection {
    /// Not both sides have asked for it yet; frames wait with their receiver.
    case pending([(to: NodeID, bytes: [UInt8])])
    case established
    case lost(TransportError)
  }

  var nodes: [NodeID: Node] = [:]
  var connections: [Set<NodeID>: Connection] = [:]

  mutating func register(_ name: NodeID, _ waker: PipeWaker) -> Bool {
    guard nodes[name] == nil else { return false }
    nodes[name] = Node(waker: waker)
    return true
  }

  func isEmpty(_ name: NodeID) -> Bool { nodes[name].map { $0.head == $0.items.count } ?? true }

  mutating func take(_ name: NodeID) -> Item? {
    guard var node = nodes.removeValue(forKey: name) else { return nil }
    defer { nodes[name] = node }
    guard node.head < node.items.count else { return nil }
    let item = node.items[node.head]
    node.head += 1
    if node.head == node.items.count {
      node.items.removeAll(keepingCapacity: true)
      node.head = 0
    }
    if case .frame(let source, _, let bytes) = item { node.waiting[source, default: 0] -= bytes.count }
    return item
  }

  /// Drops what is said of connections and was not taken yet: it is about an earlier placement.
  mutating func forgetNews(of name: NodeID) {
    guard var node = nodes.removeValue(forKey: name) else { return }
    node.items = node.items[node.head...].filter { item in
      if case .frame = item { true } else { false }
    }
    node.head = 0
    nodes[name] = node
  }

  mutating func put(_ item: Item, to name: NodeID) {
    nodes[name]?.items.append(item)
    if case .frame(let source, _, let bytes) = item { nodes[name]?.waiting[source, default: 0] += bytes.count }
    nodes[name]?.waker.wake()
  }

  /// Whether both nodes ask for the connection under the same coordinator.
  func isWanted(_ pair: Set<NodeID>) -> Bool {
    let memberships = pair.map { nodes[$0]?.membership }
    guard memberships.count == 2, let first = memberships[0], let second = memberships[1] else { return false }
    return first.cluster == second.cluster && first.term == second.term
      && pair.isSubset(of: first.peers.union(second.peers))
  }
}

extension InProcessNetwork.State {
  fileprivate mutating func configureData(_ name: NodeID, _ membership: InProcessDataState.Membership) {
    data.nodes[name]?.membership = membership
    data.forgetNews(of: name)
    for peer in membership.peers.sorted() {
      let pair: Set<NodeID> = [name, peer]
      if partitions.contains([name.rawValue, peer.rawValue]) {
        let error = TransportError(.unreachable, "\(name) cannot reach \(peer)")
        data.connections[pair] = .lost(error)
        data.put(.lost(peer, error), to: name)
        continue
      }
      switch data.connections[pair] {
      case .established:
        data.put(.connected(peer), to: name)
        continue
      case .lost where name > peer:
        // The other side has to dial; until it does, the loss stands.
        continue
      case .lost, nil:
        data.connections[pair] = .pending([])
      case .pending:
        break
      }
      establish(pair)
    }
  }

  private mutating func establish(_ pair: Set<NodeID>) {
    guard data.isWanted(pair), case .pending(let frames) = data.connections[pair] else { return }
    data.connections[pair] = .established
    for name in pair.sorted() {
      for peer in pair where peer != name { data.put(.connected(peer), to: name) }
    }
    for frame in frames {
      for source in pair where source != frame.to { transmit(frame.bytes, from: source, to: frame.to) }
    }
  }

  fileprivate mutating func sendData(_ bytes: [UInt8], from source: NodeID, to target: NodeID) -> TransportError? {
    switch data.connections[[source, target]] {
    case .lost(let error):
      return error
    case .pending(let frames):
      let waiting = frames.reduce(0) { $0 + $1.bytes.count }
      guard waiting + bytes.count <= DataLimits.backlogBytes else { return Self.backlog(target) }
      data.connections[[source, target]] = .pending(frames + [(target, bytes)])
    case .established:
      let waiting = data.nodes[target]?.waiting[source] ?? 0
      guard waiting + bytes.count <= DataLimits.backlogBytes else { return Self.backlog(target) }
      transmit(bytes, from: source, to: target)
    case nil:
      return TransportError(.notConnected, "\(target) is not connected")
    }
    return nil
  }

  private static func backlog(_ target: NodeID) -> TransportError {
    TransportError(.backlog, "more than \(DataLimits.backlogBytes) bytes wait to be sent to \(target)")
  }

  private mutating func transmit(_ bytes: [UInt8], from source: NodeID, to target: NodeID) {
    let header = try? bytes.reading { (bytes) throws(WireError) in try FrameHeader(bytes) }
    guard let header else { preconditionFailure("a frame of this process cannot be read") }
    transmit(
      bytes, header, plane: .data, from: source.rawValue, to: target.rawValue, .data(from: source, to: target))
  }

  mutating func deliverData(_ packet: InProcessPacket, from source: NodeID, to target: NodeID) {
    guard case .established = data.connections[[source, target]] else { return }
    data.put(.frame(source, packet.header, packet.bytes), to: target)
  }

  mutating func cutData(_ first: NodeID, _ second: NodeID, _ error: TransportError) {
    let pair: Set<NodeID> = [first, second]
    guard pair.count == 2, let connection = data.connections[pair] else { return }
    if case .lost = connection { return }
    data.connections[pair] = .lost(error)
    for name in pair.sorted() where data.nodes[name]?.membership != nil {
      for peer in pair where peer != name { data.put(.lost(peer, error), to: name) }
    }
  }

  fileprivate mutating func removeData(_ name: NodeID) {
    guard data.nodes[name] != nil else { return }
    data.nodes[name] = nil
    let error = TransportError(.closed, "\(name) has gone")
    for pair in data.connections.keys.filter({ $0.contains(name) }).sorted(by: {
      $0.sorted().lexicographicallyPrecedes($1.sorted())
    }) {
      for peer in pair where peer != name { cutData(name, peer, error) }
    }
  }
}

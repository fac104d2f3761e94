import Cluster
import Tensors
import Wire

/// Data planes and connections of an in-process network.
struct InProcessDataState {
  enum Item: Sendable {
    case connected(NodeID)
    case lost(NodeID, TransportError)
    case reached(NodeID)
    case unreachable(NodeID, TransportError)
    case frame(NodeID, FrameHeader, [UInt8])
  }

  /// The running placement of a node.
  struct Membership: Sendable {
    let identity: DataIdentity
    let epoch: PlacementEpoch
    let peers: Set<NodeID>
  }

  struct Node {
    let waker: PipeWaker
    /// As whom it greets.
    var identity: DataIdentity?
    var membership: Membership?
    /// Peers that the running placement has lost.
    var losses: [NodeID: TransportError] = [:]
    /// Peers of a coming placement.
    var wanted: Set<NodeID> = []
    var items: [Item] = []
    var head = 0
    /// Bytes of frames that wait, by sender.
    var waiting: [NodeID: Int] = [:]
    /// Frames that wait for their connection, by receiver.
    var early: [NodeID: [[UInt8]]] = [:]

    func uses(_ peer: NodeID) -> Bool { membership?.peers.contains(peer) == true }
    /// Whether the running placement sends to it.
    func isConfigured(_ peer: NodeID) -> Bool { uses(peer) && losses[peer] == nil }
    /// Whether it would dial that peer, were its name the lower.
    func dials(_ peer: NodeID) -> Bool { isConfigured(peer) || wanted.contains(peer) }
    /// Whether it lets that peer in.
    func expects(_ peer: NodeID) -> Bool { uses(peer) || wanted.contains(peer) }
  }

  var nodes: [NodeID: Node] = [:]
  /// Pairs that are connected.
  var connections: Set<Set<NodeID>> = []

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

  /// Drops what was not taken yet and is out of date.
  mutating func forget(of name: NodeID, _ isOutdated: (Item) -> Bool) {
    guard var node = nodes.removeValue(forKey: name) else { return }
    node.items = node.items[node.head...].filter { !isOutdated($0) }
    node.head = 0
    nodes[name] = node
  }

  mutating func put(_ item: Item, to name: NodeID) {
    nodes[name]?.items.append(item)
    if case .frame(let source, _, let bytes) = item { nodes[name]?.waiting[source, default: 0] += bytes.count }
    nodes[name]?.waker.wake()
  }

  /// The running placement of a node loses a peer, when it uses it.
  mutating func lose(_ peer: NodeID, at name: NodeID, _ error: TransportError) {
    guard nodes[name]?.isConfigured(peer) == true else { return }
    nodes[name]?.losses[peer] = error
    nodes[name]?.early[peer] = nil
    put(.lost(peer, error), to: name)
  }

  /// Whether the lower of two names would dial now, and the other would let it in.
  func isWanted(_ pair: Set<NodeID>) -> Bool {
    let names = pair.sorted()
    guard names.count == 2, let dialer = nodes[names[0]], let listener = nodes[names[1]],
      let near = dialer.identity, let far = listener.identity
    else { return false }
    return near.cluster == far.cluster && near.term == far.term && dialer.dials(names[1])
      && listener.expects(names[0])
  }
}

extension InProcessNetwork.State {
  mutating func configureData(_ name: NodeID, _ membership: InProcessDataState.Membership) {
    data.nodes[name]?.identity = membership.identity
    data.nodes[name]?.membership = membership
    data.nodes[name]?.losses = [:]
    data.nodes[name]?.wanted = []
    let early = data.nodes[name]?.early.filter { membership.peers.contains($0.key) }
    data.nodes[name]?.early = early ?? [:]
    data.forget(of: name) { item in
      if case .frame = item { false } else { true }
    }
    for peer in membership.peers.sorted() {
      if partitions.contains([name.rawValue, peer.rawValue]) {
        data.lose(peer, at: name, TransportError(.unreachable, "\(name) cannot reach \(peer)"))
      } else if data.connections.contains([name, peer]) {
        data.put(.connected(peer), to: name)
      } else {
        connectData([name, peer])
      }
    }
  }

  mutating func reachData(_ name: NodeID, _ wanted: Set<NodeID>, as identity: DataIdentity) {
    if let running = data.nodes[name]?.membership, running.identity.cluster != identity.cluster {
      data.nodes[name]?.membership = nil
    }
    data.nodes[name]?.identity = identity
    data.nodes[name]?.wanted = wanted
    data.forget(of: name) { item in
      switch item {
      case .reached, .unreachable: true
      case .connected, .lost, .frame: false
      }
    }
    for peer in wanted.sorted() {
      if data.connections.contains([name, peer]) {
        data.put(.reached(peer), to: name)
      } else if partitions.contains([name.rawValue, peer.rawValue]) || data.nodes[peer] == nil {
        data.put(.unreachable(peer, TransportError(.unreachable, "\(name) cannot reach \(peer)")), to: name)
      } else {
        connectData([name, peer])
      }
    }
  }

  /// Connects two nodes, when they want it and can.
  mutating func connectData(_ pair: Set<NodeID>) {
    guard data.isWanted(pair), !data.connections.contains(pair), !partitions.contains(Set(pair.map(\.rawValue)))
    else { return }
    data.connections.insert(pair)
    let names = pair.sorted()
    forgiveLoss(of: names[0], at: names[1])
    for name in names {
      for peer in pair where peer != name {
        if data.nodes[name]?.isConfigured(peer) == true { data.put(.connected(peer), to: name) }
        if data.nodes[name]?.wanted.contains(peer) == true { data.put(.reached(peer), to: name) }
      }
    }
    for source in names {
      for target in pair where target != source {
        let frames = data.nodes[source]?.early.removeValue(forKey: target) ?? []
        for bytes in frames { transmit(bytes, from: source, to: target) }
      }
    }
  }

  /// A peer that was lost and has begun the same placement afresh is lost no more.
  private mutating func forgiveLoss(of dialer: NodeID, at listener: NodeID) {
    guard data.nodes[dialer]?.isConfigured(listener) == true, let near = data.nodes[dialer]?.membership,
      let far = data.nodes[listener]?.membership, near.epoch == far.epoch
    else { return }
    data.nodes[listener]?.losses[dialer] = nil
  }

  mutating func sendData(_ bytes: [UInt8], from source: NodeID, to target: NodeID) -> TransportError? {
    if let loss = data.nodes[source]?.losses[target] { return loss }
    guard data.connections.contains([source, target]) else {
      let early = data.nodes[source]?.early[target] ?? []
      guard early.reduce(bytes.count, { $0 + $1.count }) <= DataLimits.backlogBytes else { return Self.backlog(target) }
      data.nodes[source]?.early[target] = early + [bytes]
      return nil
    }
    let waiting = data.nodes[target]?.waiting[source] ?? 0
    guard waiting + bytes.count <= DataLimits.backlogBytes else { return Self.backlog(target) }
    transmit(bytes, from: source, to: target)
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
    guard data.connections.contains([source, target]) else { return }
    data.put(.frame(source, packet.header, packet.bytes), to: target)
  }

  /// Breaks the connection of two nodes, or the attempt to make it. Whoever wants it tries again.
  mutating func cutData(_ first: NodeID, _ second: NodeID, _ error: TransportError) {
    let pair: Set<NodeID> = [first, second]
    guard pair.count == 2 else { return }
    data.connections.remove(pair)
    for name in pair.sorted() {
      for peer in pair where peer != name {
        data.lose(peer, at: name, error)
        if data.nodes[name]?.wanted.contains(peer) == true { data.put(.unreachable(peer, error), to: name) }
      }
    }
    connectData(pair)
  }

  mutating func removeData(_ name: NodeID) {
    guard data.nodes.removeValue(forKey: name) != nil else { return }
    let error = TransportError(.closed, "\(name) has gone")
    for peer in data.nodes.keys.sorted() { cutData(name, peer, error) }
  }
}

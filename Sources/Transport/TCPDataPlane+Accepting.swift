import Cluster
import Tensors
import Wire

/// What becomes of accepted connections: their peers say who they are, and wait until they are expected.
extension TCPDataPlane {
  func addStranger(_ descriptor: Int32, _ remote: String) {
    let socket = DataSocket(descriptor, remote: remote, needsPreface: false)
    if strangers.count >= DataLimits.pendingConnections { refuse(strangers[0]) }
    strangers.append(StrangerConnection(socket, deadline: ContinuousClock.now + DataLimits.pendingTimeout))
    mustRewatch = true
  }

  func dropOldStrangers() {
    let now = ContinuousClock.now
    // A stranger may have become welcome through a new configuration.
    for stranger in strangers {
      if let hello = stranger.hello, welcome(stranger, hello) { continue }
      if now >= stranger.deadline { refuse(stranger) }
    }
  }

  func serve(_ stranger: StrangerConnection) {
    do throws(TransportError) {
      _ = try stranger.socket.receive { (header, payload) throws(TransportError) in
        guard stranger.hello == nil else {
          throw TransportError(.protocolViolation, "\(stranger.socket.remote) sent frames before it was answered")
        }
        stranger.hello = try readHello(header, payload, from: stranger.socket.remote)
        stranger.epoch = header.epoch
      }
    } catch {
      return refuse(stranger)
    }
    if let hello = stranger.hello { _ = welcome(stranger, hello) }
  }

  private func refuse(_ stranger: StrangerConnection) {
    stranger.socket.end()
    drop(stranger)
  }

  private func drop(_ stranger: StrangerConnection) {
    strangers.removeAll { $0 === stranger }
    mustRewatch = true
  }

  /// Makes a stranger the connection to the peer it says it is, when that peer is expected now.
  /// - Returns: false when the stranger has to wait.
  private func welcome(_ stranger: StrangerConnection, _ hello: PeerHello) -> Bool {
    guard let identity, hello.cluster == identity.cluster, hello.term == identity.term,
      hello.receiver == identity.node, hello.sender < identity.node, let connection = connections[hello.sender]
    else { return false }
    // A dialer that has given up meanwhile must not replace a connection that works.
    guard !stranger.socket.isOver else {
      refuse(stranger)
      return true
    }
    guard connection.index != nil || connection.isWanted else {
      // Its older connection, kept for later, is of no use: the peer would not have dialled otherwise.
      connection.endSocket()
      connections[hello.sender] = nil
      mustRewatch = true
      return false
    }
    drop(stranger)
    if connection.isOpen { replace(connection) }
    // In the running placement a lost peer stays lost, unless it has begun this placement afresh.
    if let configuration, stranger.epoch == configuration.epoch { connection.loss = nil }
    do throws(TransportError) {
      queueHello(on: stranger.socket, for: connection, identity)
      try open(connection, stranger.socket)
    } catch {
      lose(connection, error)
    }
    return true
  }

  /// Ends a connection that looks alive, but whose peer has dialled anew: it was restarted, or the connection broke and
  /// only the peer has noticed.
  private func replace(_ connection: DataConnection) {
    let error = TransportError(.closed, "\(connection.id) has dialled anew")
    connection.endSocket()
    connection.phase = .expected
    if connection.isConfigured { markLost(connection, error) }
    if connection.isWanted { announcements.append(.unreachable(connection.id, error)) }
  }
}

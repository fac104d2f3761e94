#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Cluster
import Tensors
import Wire

/// How connections between workers come to be and end. Of two workers the lower name dials; both say who they are,
/// the dialer first.
extension TCPDataPlane {
  /// The connection to a peer under a new configuration: the one there is, or a new attempt.
  func connection(to peer: DataPeer, of node: NodeID) -> DataConnection {
    let dials = node < peer.id
    if let known = connections[peer.id], !known.isLost, !dials || known.address == peer.address {
      if known.isUnsettled { known.deadline = Self.deadline(dials: dials) }
      known.address = peer.address
      return known
    }
    let phase: DataConnection.Phase = dials ? .waiting(until: ContinuousClock.now) : .expected
    let connection = DataConnection(peer, phase: phase, deadline: Self.deadline(dials: dials))
    connections[peer.id] = connection
    return connection
  }

  /// What a second attempt would not change.
  private static let finalCodes: Set<TransportError.Code> = [
    .badAddress, .versionMismatch, .protocolViolation, .wrongPeer,
  ]

  /// A hello of another term would never be answered.
  func restartGreetings() {
    for connection in connections.values {
      guard case .greeting = connection.phase else { continue }
      connection.endSocket()
      connection.phase = .waiting(until: ContinuousClock.now)
    }
  }

  /// Whoever waits to be dialled waits a little longer than the dialer tries.
  private static func deadline(dials: Bool) -> ContinuousClock.Instant {
    ContinuousClock.now + (dials ? DataLimits.connectTimeout : DataLimits.connectTimeout + .seconds(2))
  }

  /// The connection is gone for good, until it is configured again.
  func lose(_ connection: DataConnection, _ error: TransportError) {
    guard !connection.isLost else { return }
    if connection.isUnsettled, !Self.finalCodes.contains(error.code),
      ContinuousClock.now + DataLimits.redialInterval < connection.deadline
    {
      return retry(connection, error)
    }
    markLost(connection, error)
  }

  private func markLost(_ connection: DataConnection, _ error: TransportError) {
    connection.phase = .lost(error)
    connection.endSocket()
    connection.early.removeAll()
    mustRewatch = true
    announcements.append(.lost(connection.id, error))
  }

  private func retry(_ connection: DataConnection, _ error: TransportError) {
    connection.failure = error
    connection.endSocket()
    connection.phase = .waiting(until: ContinuousClock.now + DataLimits.redialInterval)
    mustRewatch = true
  }

  /// Takes the next step of a connection that is not open, when its time has come.
  func advance(_ connection: DataConnection) {
    let now = ContinuousClock.now
    if now >= connection.deadline { return giveUp(connection) }
    guard case .waiting(let time) = connection.phase, now >= time else { return }
    do throws(TransportError) {
      if connection.resolved.isEmpty { connection.resolved = try SocketAddress.resolve(connection.address) }
      let target = connection.resolved[connection.attempts % connection.resolved.count]
      connection.attempts += 1
      let descriptor = try Dialer.begin(target, to: connection.address)
      let name = "\(connection.id) at \(connection.address)"
      connection.socket = DataSocket(descriptor, remote: name, needsPreface: true)
      connection.socket?.isConnecting = true
      connection.phase = .connecting
      mustRewatch = true
    } catch {
      lose(connection, error)
    }
  }

  private func giveUp(_ connection: DataConnection) {
    let name = "\(connection.id) at \(connection.address)"
    let reason: String
    switch connection.phase {
    case .expected: reason = "\(name) did not dial this worker within \(DataLimits.connectTimeout)"
    case .greeting: reason = "\(name) accepts connections but did not answer within \(DataLimits.connectTimeout)"
    default: reason = "cannot reach \(name) within \(DataLimits.connectTimeout)"
    }
    let detail = connection.failure.map { " (last attempt: \($0))" } ?? ""
    markLost(connection, TransportError(.timedOut, reason + detail))
  }

  /// The socket is connected, or could not be.
  func finishDialing(_ connection: DataConnection, _ socket: DataSocket) throws(TransportError) {
    if let error = Dialer.error(of: socket.descriptor, to: connection.address) { throw error }
    guard let configuration else { return }
    socket.isConnecting = false
    socket.queue(ConnectionPreface(plane: .data).bytes)
    queueHello(on: socket, to: connection.id, configuration)
    connection.phase = .greeting
    try socket.flush()
  }

  /// The dialled peer has said who it is.
  func finishGreeting(
    _ connection: DataConnection, _ header: FrameHeader, _ payload: UnsafeRawBufferPointer
  ) throws(TransportError) {
    guard let socket = connection.socket else { return }
    let hello = try readHello(header, payload, from: socket.remote)
    guard let configuration, hello.sender == connection.id, hello.receiver == configuration.node,
      hello.cluster == configuration.cluster
    else {
      throw TransportError(
        .wrongPeer, "\(socket.remote) answers as \"\(hello.sender)\" of cluster \(hello.cluster): check the address")
    }
    try open(connection, socket)
  }

  // MARK: - Accepted connections

  func addStranger(_ descriptor: Int32, _ remote: String) {
    let socket = DataSocket(descriptor, remote: remote, needsPreface: false)
    if strangers.count >= DataLimits.pendingConnections { refuse(strangers[0]) }
    strangers.append(StrangerConnection(socket, deadline: ContinuousClock.now + DataLimits.connectTimeout))
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
  private func welcome(_ stranger: StrangerConnection, _ hello: PeerHello) -> Bool {
    guard let configuration, hello.cluster == configuration.cluster, hello.term == configuration.term,
      hello.receiver == configuration.node, hello.sender < configuration.node,
      let connection = connections[hello.sender], connection.index != nil
    else { return false }
    drop(stranger)
    if connection.isOpen {
      connection.endSocket()
      announcements.append(.lost(connection.id, TransportError(.closed, "\(connection.id) has dialled anew")))
    }
    do throws(TransportError) {
      queueHello(on: stranger.socket, to: hello.sender, configuration)
      try open(connection, stranger.socket)
    } catch {
      lose(connection, error)
    }
    return true
  }

  // MARK: - Both

  private func open(_ connection: DataConnection, _ socket: DataSocket) throws(TransportError) {
    connection.socket = socket
    connection.phase = .open
    connection.failure = nil
    socket.queue(connection.early)
    mustRewatch = true
    announcements.append(.connected(connection.id))
    try socket.flush()
  }

  private func queueHello(on socket: DataSocket, to peer: NodeID, _ configuration: DataPlaneConfiguration) {
    let hello = PeerHello(
      cluster: configuration.cluster, term: configuration.term, sender: configuration.node, receiver: peer)
    let payload = hello.payload
    let frame = OutgoingFrame(
      type: .peerHello, flags: [], epoch: configuration.epoch, term: configuration.term, stream: 0,
      payloadBytes: payload.count)
    socket.queueFrame(frame) { $0.copyBytes(from: payload) }
    counters.dataBytes += UInt64(frame.byteCount)
    counters.dataFrames += 1
  }

  private func readHello(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, from remote: String
  ) throws(TransportError) -> PeerHello {
    guard header.type == .peerHello else {
      throw TransportError(.protocolViolation, "\(remote) sent \(header.type) before it said who it is")
    }
    do throws(WireError) { return try PeerHello(payload: payload) } catch {
      throw TransportError(error, from: remote)
    }
  }
}

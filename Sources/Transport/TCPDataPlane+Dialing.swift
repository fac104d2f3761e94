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
  /// What a second attempt would not change while a placement waits for it.
  private static let finalCodes: Set<TransportError.Code> = [
    .badAddress, .versionMismatch, .protocolViolation, .wrongPeer,
  ]

  /// The connection broke, or an attempt to make it failed. The running placement has lost it when it stood or its time
  /// is up; whoever else asks for it goes on trying.
  func lose(_ connection: DataConnection, _ error: TransportError) {
    if case .idle = connection.phase { return }
    let now = ContinuousClock.now
    let wasOpen = connection.isOpen
    connection.endSocket()
    connection.failure = error
    mustRewatch = true
    if connection.isConfigured,
      wasOpen || Self.finalCodes.contains(error.code) || now + DataLimits.redialInterval >= connection.deadline
    {
      markLost(connection, error)
    }
    if connection.isWanted, wasOpen {
      announcements.append(.unreachable(connection.id, error))
      connection.reportTime = now + DataLimits.reachTimeout
    }
    guard connection.isNeeded else { return connection.phase = .idle }
    hasUnsettled = true
    connection.phase = connection.dials ? .waiting(until: now + pause(connection, error)) : .expected
  }

  /// Gives up connections over which nothing is acknowledged any more.
  func lookAtAcknowledgements(_ now: ContinuousClock.Instant) {
    acknowledgementLook = nil
    for connection in connections.values where connection.isOpen {
      guard let socket = connection.socket, let info = TCPInfo(of: socket.descriptor) else { continue }
      let isCut = connection.acknowledgements.look(
        acknowledged: info.acknowledged, isUnderWay: info.isUnderWay, at: now)
      if isCut {
        lose(connection, TransportError(.timedOut, "\(connection.name) has acknowledged nothing for 2 seconds"))
      } else if info.isUnderWay || socket.backlog > 0 {
        acknowledgementLook = now + AcknowledgementWatch.interval
      }
    }
  }

  /// How long to wait after a failure. A name that is not known is not looked up again at once.
  private func pause(_ connection: DataConnection, _ error: TransportError) -> Duration {
    if connection.isConfigured { return DataLimits.redialInterval }
    return error.code == .badAddress ? DataLimits.reachTimeout : DataLimits.reachInterval
  }

  /// Nothing goes to that peer or comes from it any more in the running placement.
  func markLost(_ connection: DataConnection, _ error: TransportError) {
    connection.loss = error
    connection.early.removeAll()
    announcements.append(.lost(connection.id, error))
  }

  /// Takes the next step of a connection that is not open, when its time has come.
  func advance(_ connection: DataConnection) {
    let now = ContinuousClock.now
    if connection.isConfigured, now >= connection.deadline {
      markLost(connection, delay(of: connection, DataLimits.connectTimeout))
      if !connection.isWanted {
        connection.endSocket()
        connection.phase = .idle
        mustRewatch = true
        return
      }
    }
    if connection.isWanted, now >= connection.reportTime {
      announcements.append(.unreachable(connection.id, delay(of: connection, DataLimits.reachTimeout)))
      connection.reportTime = now + DataLimits.reachTimeout
      // The host may have another address by now.
      if connection.attempts >= connection.resolved.count { connection.resolved = [] }
    }
    switch connection.phase {
    case .waiting(let time) where now >= time: dial(connection, now)
    case .connecting where now >= connection.attemptEnd, .greeting where now >= connection.attemptEnd:
      endAttempt(connection, now)
    default: break
    }
  }

  private func dial(_ connection: DataConnection, _ now: ContinuousClock.Instant) {
    do throws(TransportError) {
      if connection.resolved.isEmpty {
        guard let address = SocketAddress.numeric(connection.address) else { return try beginLookup(connection) }
        connection.resolved = [address]
        connection.attempts = 0
      }
      let target = connection.resolved[connection.attempts % connection.resolved.count]
      connection.attempts += 1
      let descriptor = try Dialer.begin(target, to: connection.address)
      connection.socket = DataSocket(descriptor, remote: connection.name, needsPreface: true)
      connection.socket?.isConnecting = true
      connection.phase = .connecting
      connection.attemptEnd = now + DataLimits.connectTimeout
      connection.isProlonged = false
      mustRewatch = true
    } catch {
      lose(connection, error)
    }
  }

  /// An attempt took too long. A peer that has sent its preface lives, but may not know of this worker yet.
  private func endAttempt(_ connection: DataConnection, _ now: ContinuousClock.Instant) {
    if connection.socket?.needsPreface == false, !connection.isProlonged {
      connection.isProlonged = true
      connection.attemptEnd = now + DataLimits.pendingTimeout
    } else {
      lose(connection, delay(of: connection, DataLimits.connectTimeout))
    }
  }

  /// That a connection does not stand after a while, and how far it is.
  private func delay(of connection: DataConnection, _ limit: Duration) -> TransportError {
    let reason: String
    switch connection.phase {
    case .expected: reason = "\(connection.name) did not dial this worker within \(limit)"
    case .resolving: reason = "the name of \(connection.name) was not found within \(limit)"
    case .greeting: reason = "\(connection.name) accepts connections but did not answer within \(limit)"
    default: reason = "cannot reach \(connection.name) within \(limit)"
    }
    let detail = connection.failure.map { " (last attempt: \($0))" } ?? ""
    return TransportError(.timedOut, reason + detail)
  }

  // MARK: - Host names

  /// Looks the peer's host up on a thread of its own: that may take long, and this one computes.
  private func beginLookup(_ connection: DataConnection) throws(TransportError) {
    let address = connection.address
    connection.phase = .resolving
    guard lookups.insert(address).inserted else { return }
    do throws(TransportError) {
      let thread = try PlatformThread { [lookUp, inbox] in inbox.add((address, lookUp(address))) }
      thread.detach()
    } catch {
      lookups.remove(address)
      throw error
    }
  }

  func finishLookup(_ lookup: DataPlaneInbox.Lookup) {
    lookups.remove(lookup.address)
    for connection in connections.values {
      guard case .resolving = connection.phase, connection.address == lookup.address else { continue }
      switch lookup.found {
      case .success(let addresses) where !addresses.isEmpty:
        connection.resolved = addresses
        connection.attempts = 0
        connection.phase = .waiting(until: ContinuousClock.now)
      case .success:
        lose(connection, TransportError(.badAddress, "\(connection.name) has no address"))
      case .failure(let error):
        lose(connection, error)
      }
    }
  }

  // MARK: - Greetings

  /// The socket is connected, or could not be.
  func finishDialing(_ connection: DataConnection, _ socket: DataSocket) throws(TransportError) {
    if let error = Dialer.error(of: socket.descriptor, to: connection.address) { throw error }
    guard let identity else { return }
    socket.isConnecting = false
    socket.queue(ConnectionPreface(plane: .data).bytes)
    queueHello(on: socket, for: connection, identity)
    connection.phase = .greeting
    try socket.flush()
  }

  /// The dialled peer has said who it is.
  func finishGreeting(
    _ connection: DataConnection, _ header: FrameHeader, _ payload: UnsafeRawBufferPointer
  ) throws(TransportError) {
    guard let socket = connection.socket else { return }
    let hello = try readHello(header, payload, from: socket.remote)
    guard let identity, hello.sender == connection.id, hello.receiver == identity.node,
      hello.cluster == identity.cluster
    else {
      throw TransportError(
        .wrongPeer, "\(socket.remote) answers as \"\(hello.sender)\" of cluster \(hello.cluster): check the address")
    }
    try open(connection, socket)
  }

  func open(_ connection: DataConnection, _ socket: DataSocket) throws(TransportError) {
    connection.socket = socket
    connection.phase = .open
    connection.failure = nil
    socket.queue(connection.early)
    mustRewatch = true
    if connection.isConfigured { announcements.append(.connected(connection.id)) }
    if connection.isWanted { announcements.append(.reached(connection.id)) }
    try socket.flush()
  }

  /// The hello's header names the placement under which this worker takes frames of that peer, or none.
  func queueHello(on socket: DataSocket, for connection: DataConnection, _ identity: DataIdentity) {
    let hello = PeerHello(
      cluster: identity.cluster, term: identity.term, sender: identity.node, receiver: connection.id)
    let payload = hello.payload
    let epoch = connection.isConfigured ? configuration?.epoch : nil
    let frame = OutgoingFrame(
      type: .peerHello, flags: [], epoch: epoch ?? PlacementEpoch(rawValue: 0), term: identity.term, stream: 0,
      payloadBytes: payload.count)
    socket.queueFrame(frame) { $0.copyBytes(from: payload) }
    counters.dataBytes += UInt64(frame.byteCount)
    counters.dataFrames += 1
  }

  func readHello(
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

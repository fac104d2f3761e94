#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
public import Cluster
import Tensors
public import Wire

/// The data plane over TCP: non-blocking sockets that the engine's own thread looks after.
///
/// In the steady state nothing is allocated for a frame: it is built in the buffer it is sent from, and read in the
/// buffer it was received into. Docs/wire.md describes how connections come to be.
public final class TCPDataPlane: DataPlane {
  enum Announcement {
    case connected(NodeID)
    case lost(NodeID, TransportError)
    case reached(NodeID)
    case unreachable(NodeID, TransportError)
  }

  /// Looks a host name up; called on a thread of its own.
  typealias LookUp = @Sendable (HostPort) -> Result<[SocketAddress], TransportError>

  /// The running placement.
  var configuration: DataPlaneConfiguration?
  /// As whom peers are greeted: the identity of the last `configure` or `reach`.
  var identity: DataIdentity?
  var connections: [NodeID: DataConnection] = [:]
  /// Connections by node index.
  var slots: [DataConnection?] = []
  var strangers: [StrangerConnection] = []
  /// Not yet told to the handler.
  var announcements: [Announcement] = []
  public internal(set) var counters = TrafficCounters()
  public private(set) var staleFrames: UInt64 = 0

  let inbox = DataPlaneInbox()
  let lookUp: LookUp
  /// Addresses whose lookup is under way.
  var lookups: Set<HostPort> = []
  private let spin: Duration
  /// How often looking again has paid of late; at 0 it is only tried now and then.
  private var spinCredit = 4
  private var waits: UInt64 = 0
  /// What `poll(2)` looks at: the waker, then the sockets of `watched`.
  private var descriptors: [pollfd] = []
  private var watched: [(socket: DataSocket, connection: DataConnection?)] = []
  var mustRewatch = true
  /// Whether some connection may have to be looked at as time passes.
  var hasUnsettled = false

  /// When to look whether what was sent is acknowledged; nil while nothing is on its way.
  var acknowledgementLook: ContinuousClock.Instant?

  public var waker: any Waker { inbox }

  /// - Parameter spin: how long `wait` looks again and again before it sleeps, as going to sleep and being woken takes
  ///   longer than many an answer; other programs may have the core meanwhile. It gives that up, but for a trial now and
  ///   then, where it does not pay.
  public convenience init(spin: Duration = .milliseconds(1)) {
    self.init(spin: spin) { address in
      do throws(TransportError) { return .success(try SocketAddress.resolve(address)) } catch { return .failure(error) }
    }
  }

  init(spin: Duration, lookUp: @escaping LookUp) {
    self.spin = spin
    self.lookUp = lookUp
  }

  /// Takes accepted sockets over, from any thread; for `Acceptor`.
  public var adopt: SocketHandler { { [inbox] in inbox.add($0, $1) } }

  // MARK: - DataPlane

  public func send(
    _ type: FrameType, to peer: NodeIndex, flags: FrameHeader.Flags, stream: UInt64, payloadBytes: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError) {
    precondition(type.plane == .data && payloadBytes <= type.payloadLimit, "no data frame of \(payloadBytes): \(type)")
    guard let configuration, slots.indices.contains(peer.rawValue), let connection = slots[peer.rawValue] else {
      throw TransportError(.notConnected, "node \(peer) is no peer of this worker")
    }
    if let loss = connection.loss { throw loss }
    let frame = OutgoingFrame(
      type: type, flags: flags, epoch: configuration.epoch, term: configuration.term, stream: stream,
      payloadBytes: payloadBytes)
    let waiting = connection.isOpen ? connection.socket?.backlog ?? 0 : connection.early.count
    guard waiting + frame.byteCount <= DataLimits.backlogBytes else {
      throw TransportError(
        .backlog,
        "more than \(DataLimits.backlogBytes) bytes wait to be sent to \(connection.id) at "
          + "\(connection.address): it reads too slowly")
    }
    counters.dataBytes += UInt64(frame.byteCount)
    counters.dataFrames += 1
    guard connection.isOpen, let socket = connection.socket else { return connection.early.append(frame, fill: fill) }
    if acknowledgementLook == nil { acknowledgementLook = .now + AcknowledgementWatch.interval }
    let wasIdle = socket.backlog == 0
    socket.queueFrame(frame, fill: fill)
    guard wasIdle else { return }
    do throws(TransportError) {
      try socket.flush()
    } catch {
      lose(connection, error)
      throw error
    }
  }

  public func poll(_ handler: (DataEvent) -> Void) {
    settle()
    announce(handler)
    serveSockets(handler)
    announce(handler)
  }

  public func wait(until deadline: ContinuousClock.Instant?) {
    defer { inbox.pipe.clear() }
    guard announcements.isEmpty, !inbox.pipe.isWoken else { return }
    if looksAgain(until: deadline) { return }
    var nearest = deadline
    for connection in connections.values {
      if let time = connection.nextLook { nearest = nearest.map { min($0, time) } ?? time }
    }
    if let time = acknowledgementLook { nearest = nearest.map { min($0, time) } ?? time }
    for stranger in strangers { nearest = nearest.map { min($0, stranger.deadline) } ?? stranger.deadline }
    _ = look(milliseconds: Deadline.milliseconds(until: nearest))
  }

  /// - Returns: whether something came while looking.
  private func looksAgain(until deadline: ContinuousClock.Instant?) -> Bool {
    waits &+= 1
    if look(milliseconds: 0) || inbox.pipe.isWoken { return true }
    guard spin > .zero, spinCredit > 0 || waits.isMultiple(of: 32) else { return false }
    let end = ContinuousClock.now + spin
    repeat {
      if look(milliseconds: 0) || inbox.pipe.isWoken {
        spinCredit = min(spinCredit + 1, 8)
        return true
      }
      sched_yield()
    } while ContinuousClock.now < end && !Deadline.hasPassed(deadline)
    spinCredit = max(spinCredit - 1, 0)
    return false
  }

  // MARK: - Events

  private func announce(_ handler: (DataEvent) -> Void) {
    // The handler may lose further peers by sending to them.
    while !announcements.isEmpty {
      switch announcements.removeFirst() {
      case .connected(let id):
        if let connection = connections[id], connection.isOpen, connection.isConfigured, let index = connection.index {
          handler(.connected(index))
        }
      case .lost(let id, let error):
        if let index = connections[id]?.index { handler(.lost(index, error)) }
      case .reached(let id):
        if let connection = connections[id], connection.isOpen, connection.isWanted { handler(.reached(id)) }
      case .unreachable(let id, let error):
        if connections[id]?.isWanted == true { handler(.unreachable(id, error)) }
      }
    }
  }

  /// Handles the sockets that have news; the sockets of strangers and of peers alike.
  private func serveSockets(_ handler: (DataEvent) -> Void) {
    guard look(milliseconds: 0) else { return }
    // What happens here may close sockets, so that the list is made anew only afterwards.
    for (position, (socket, connection)) in watched.enumerated() {
      let events = Int32(descriptors[position + 1].revents)
      guard events != 0 else { continue }
      if let connection {
        if connection.socket === socket { serve(connection, socket, events, handler) }
      } else if let stranger = strangers.first(where: { $0.socket === socket }) {
        serve(stranger)
      }
    }
  }

  private func serve(
    _ connection: DataConnection, _ socket: DataSocket, _ events: Int32, _ handler: (DataEvent) -> Void
  ) {
    do throws(TransportError) {
      if case .connecting = connection.phase {
        try finishDialing(connection, socket)
        return
      }
      if events & POLLOUT != 0 { try socket.flush() }
      guard events & ~POLLOUT != 0 else { return }
      _ = try socket.receive { (header, payload) throws(TransportError) in
        try received(header, payload, on: connection, handler)
      }
    } catch {
      lose(connection, error)
    }
  }

  private func received(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, on connection: DataConnection,
    _ handler: (DataEvent) -> Void
  ) throws(TransportError) {
    if case .greeting = connection.phase {
      try finishGreeting(connection, header, payload)
      return announce(handler)
    }
    guard header.type != .peerHello else {
      throw TransportError(.protocolViolation, "\(connection.id) introduced itself twice")
    }
    guard connection.isConfigured, let index = connection.index, header.epoch == configuration?.epoch,
      header.term == configuration?.term,
      connection.isOpen
    else {
      staleFrames += 1
      return
    }
    handler(.frame(index, header, payload))
  }

  // MARK: - Waiting

  /// Looks at all sockets.
  /// - Returns: whether one of them has news.
  private func look(milliseconds: Int32) -> Bool {
    if mustRewatch { rewatch() }
    for position in watched.indices {
      let wantsToWrite = watched[position].socket.wantsToWrite
      descriptors[position + 1].events = Int16(POLLIN | (wantsToWrite ? POLLOUT : 0))
    }
    let ready = systemPoll(&descriptors, milliseconds)
    return ready > (descriptors[0].revents == 0 ? 0 : 1)
  }

  private func rewatch() {
    watched = strangers.map { ($0.socket, nil) }
    for connection in connections.values {
      if let socket = connection.socket { watched.append((socket, connection)) }
    }
    descriptors = [pollfd(fd: inbox.pipe.readEnd, events: Int16(POLLIN), revents: 0)]
    for (socket, _) in watched { descriptors.append(pollfd(fd: socket.descriptor, events: 0, revents: 0)) }
    mustRewatch = false
  }

  /// Everything that happens because time passes or another thread has brought something.
  func settle() {
    let (sockets, found) = inbox.take()
    for (descriptor, remote) in sockets { addStranger(descriptor, remote) }
    for lookup in found { finishLookup(lookup) }
    if !strangers.isEmpty { dropOldStrangers() }
    if let time = acknowledgementLook, time <= .now { lookAtAcknowledgements(.now) }
    guard hasUnsettled else { return }
    hasUnsettled = false
    for connection in connections.values where connection.isUnsettled {
      hasUnsettled = true
      advance(connection)
    }
  }
}

private func systemPoll(_ descriptors: inout [pollfd], _ milliseconds: Int32) -> Int32 {
  poll(&descriptors, nfds_t(descriptors.count), milliseconds)
}

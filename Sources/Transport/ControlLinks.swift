import NIOCore
import Synchronization
import Wire

/// The links of a TCP control plane: what waits to be sent on each, and who has been told what.
final class ControlLinks: Sendable {
  private enum Phase { case dialing, open, closing }

  private struct Link {
    var phase = Phase.dialing
    var channel: (any Channel)?
    /// Frames not yet given to the channel.
    var outbox: [[UInt8]] = []
    /// Bytes not yet given to the system.
    var backlog = 0
    var isDraining = false
    /// What went wrong, for `closed`.
    var error: TransportError?
    var bytesReceived: UInt64 = 0
    /// Acknowledged and pending bytes as the system said last; nil as long as nobody asks.
    var sample: (acknowledged: UInt64, pending: UInt64)?
  }

  private struct State {
    var links: [LinkID: Link] = [:]
    var nextLink: UInt64 = 1
    var counters = TrafficCounters()
    var isStopped = false
  }

  private let state = Mutex(State())
  private let sink: ControlSink
  /// What pings are answered with; nil when the sink answers them.
  private let pulse: Pulse?

  init(pulse: Pulse?, sink: @escaping ControlSink) {
    self.pulse = pulse
    self.sink = sink
  }

  var counters: TrafficCounters { state.withLock { $0.counters } }

  func add() -> LinkID {
    state.withLock { state in
      defer { state.nextLink += 1 }
      let id = LinkID(rawValue: state.nextLink)
      state.links[id] = Link()
      return id
    }
  }

  // MARK: - From the plane's user

  func send(_ frame: [UInt8], on id: LinkID) {
    let action = state.withLock { state -> (channel: (any Channel)?, overflow: Bool) in
      guard var link = state.links[id], link.phase != .closing else { return (nil, false) }
      guard link.backlog <= ControlLimits.backlogBytes else {
        link.error = TransportError(
          .backlog, "more than \(ControlLimits.backlogBytes) bytes wait to be sent on \(id): the peer reads too slowly")
        link.phase = .closing
        state.links[id] = link
        return (link.channel, true)
      }
      link.outbox.append(frame)
      link.backlog += frame.count
      state.counters.controlBytes += UInt64(frame.count)
      state.counters.controlFrames += 1
      let start = link.phase == .open && !link.isDraining
      link.isDraining = link.isDraining || start
      state.links[id] = link
      return (start ? link.channel : nil, false)
    }
    guard let channel = action.channel else { return }
    if action.overflow {
      channel.close(promise: nil)
    } else {
      channel.eventLoop.execute { self.drain(id, channel) }
    }
  }

  /// Closes once everything before it has been sent.
  func close(_ id: LinkID) {
    let channel = state.withLock { state -> (any Channel)? in
      guard var link = state.links[id], link.phase != .closing else { return nil }
      defer { state.links[id] = link }
      let channel = link.phase == .open ? link.channel : nil
      link.phase = .closing
      return channel
    }
    guard let channel else { return }
    channel.eventLoop.execute {
      self.drain(id, channel)
      // The empty write completes after those before it; a peer that does not read gets five seconds.
      let end = channel.eventLoop.scheduleTask(in: .seconds(5)) { channel.close(promise: nil) }
      channel.writeAndFlush(ByteBuffer()).whenComplete { _ in
        end.cancel()
        channel.close(promise: nil)
      }
    }
  }

  /// Closes at once, because of an error.
  func fail(_ id: LinkID, _ error: TransportError) {
    let channel = state.withLock { state -> (any Channel)? in
      guard state.links[id] != nil else { return nil }
      if state.links[id]?.error == nil { state.links[id]?.error = error }
      state.links[id]?.phase = .closing
      return state.links[id]?.channel
    }
    channel?.close(promise: nil)
  }

  func stop() {
    let channels = state.withLock { state -> [any Channel] in
      state.isStopped = true
      let channels = state.links.values.compactMap(\.channel)
      state.links = [:]
      return channels
    }
    for channel in channels { channel.close(promise: nil) }
  }

  // MARK: - Signs of life

  func vitals(of id: LinkID) -> LinkVitals? {
    let (vitals, unsampled) = state.withLock { state -> (LinkVitals?, (any Channel)?) in
      guard let link = state.links[id] else { return (nil, nil) }
      let vitals = LinkVitals(
        bytesReceived: link.bytesReceived, bytesAcknowledged: link.sample?.acknowledged ?? 0,
        bytesPending: UInt64(link.backlog) + (link.sample?.pending ?? 0))
      guard link.sample == nil, let channel = link.channel else { return (vitals, nil) }
      state.links[id]?.sample = (0, 0)
      return (vitals, channel)
    }
    if let unsampled { startSampling(id, unsampled) }
    return vitals
  }

  /// Asks the system now and then, on the event loop, as long as the link is there.
  private func startSampling(_ id: LinkID, _ channel: any Channel) {
    guard let socket = channel as? any SocketOptionProvider else { return }
    channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .init(ControlLimits.sampleInterval)) { task in
      guard self.state.withLock({ $0.links[id] != nil }) else { return task.cancel() }
      let info: EventLoopFuture<TCPInfo> = socket.unsafeGetSocketOption(
        level: .tcp, name: .init(rawValue: TCPInfo.option))
      info.whenSuccess { info in
        self.state.withLock { $0.links[id]?.sample = (info.acknowledged, info.pending) }
      }
    }
  }

  // MARK: - From the channel, on its event loop

  func arrived(_ bytes: Int, on id: LinkID) {
    state.withLock { $0.links[id]?.bytesReceived += UInt64(bytes) }
  }

  /// The connection stands and both prefaces are right.
  func opened(_ id: LinkID, _ channel: any Channel, remote: String) {
    let isWanted = state.withLock { state -> Bool in
      guard var link = state.links[id] else { return false }
      defer { state.links[id] = link }
      link.channel = channel
      guard link.phase == .dialing else { return false }
      link.phase = .open
      return true
    }
    guard isWanted else { return channel.close(promise: nil) }
    sink(.opened(id, remote: remote))
    drain(id, channel)
  }

  func received(_ id: LinkID, _ header: FrameHeader, _ message: ControlMessage) {
    guard state.withLock({ $0.links[id] != nil }) else { return }
    if let pulse, case .ping(let ping) = message {
      return answer(ping, header, with: pulse, on: id)
    }
    sink(.received(id, header, message))
  }

  private func answer(_ ping: Heartbeat, _ header: FrameHeader, with pulse: Pulse, on id: LinkID) {
    do throws(WireError) {
      send(try pulse.answer(ping).frame(epoch: header.epoch, term: header.term), on: id)
    } catch {
      fail(id, TransportError(error, from: "answer on \(id)"))
    }
  }

  /// Remembers why the channel is about to be closed.
  func note(_ id: LinkID, _ error: TransportError) {
    state.withLock { state in
      if state.links[id]?.error == nil { state.links[id]?.error = error }
    }
  }

  /// The connection is gone; the first error known wins.
  func closed(_ id: LinkID, _ error: TransportError?) {
    let event = state.withLock { state -> ControlEvent? in
      guard let link = state.links.removeValue(forKey: id) else { return nil }
      let isOwnWish = link.phase == .closing && link.error == nil
      return .closed(id, isOwnWish ? nil : link.error ?? error)
    }
    if let event { sink(event) }
  }

  private func drain(_ id: LinkID, _ channel: any Channel) {
    var hasWritten = false
    while let frames = takeOutbox(id) {
      for frame in frames {
        hasWritten = true
        channel.write(ByteBuffer(bytes: frame)).whenComplete { _ in self.written(frame.count, on: id) }
      }
    }
    if hasWritten { channel.flush() }
  }

  private func takeOutbox(_ id: LinkID) -> [[UInt8]]? {
    state.withLock { state in
      guard let frames = state.links[id]?.outbox, !frames.isEmpty else {
        state.links[id]?.isDraining = false
        return nil
      }
      state.links[id]?.outbox = []
      return frames
    }
  }

  private func written(_ bytes: Int, on id: LinkID) {
    state.withLock { $0.links[id]?.backlog -= bytes }
  }
}

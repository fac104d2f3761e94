#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Tensors
import Wire

/// Frames over a blocking socket, one thread at a time: what connections for weights need.
final class BlockingFrames {
  private let descriptor: Int32
  private let remote: String
  private let plane: ConnectionPlane
  private let incoming = StreamBuffer(capacity: 4 * (WireLimits.pieceChunkBytes + 128))
  private let outgoing = StreamBuffer(capacity: WireLimits.pieceChunkBytes + 128)
  private var decoder: FrameDecoder
  private(set) var bytesSent: UInt64 = 0
  private(set) var framesSent: UInt64 = 0

  /// - Parameters:
  ///   - descriptor: a connected socket; whoever made this closes it.
  ///   - patience: how long a read or a write may make no progress.
  init(_ descriptor: Int32, remote: String, plane: ConnectionPlane = .weights, patience: Duration) {
    self.descriptor = descriptor
    self.remote = remote
    self.plane = plane
    decoder = FrameDecoder(plane: plane)
    SocketOptions.makeBlocking(descriptor)
    setPatience(patience)
  }

  /// How long a read or a write may make no progress from now on.
  func setPatience(_ patience: Duration) {
    let (seconds, attoseconds) = patience.components
    var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  /// Exchanges prefaces as the one who dials.
  func greet() throws(TransportError) {
    outgoing.append(ConnectionPreface(plane: plane).bytes)
    try flush()
    while incoming.count < ConnectionPreface.byteCount { try receiveMore() }
    do throws(WireError) {
      let preface = try ConnectionPreface(
        UnsafeRawBufferPointer(rebasing: incoming.bytes[..<ConnectionPreface.byteCount]))
      guard preface.plane == plane else {
        throw WireError(.badValue, "the peer answered for its \(preface.plane) plane", offset: 6)
      }
    } catch {
      throw TransportError(error, from: remote)
    }
    incoming.consume(ConnectionPreface.byteCount)
  }

  /// Sends a frame; the payload is written in place.
  func send(
    _ type: FrameType, payloadBytes: Int, fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError) {
    let frame = OutgoingFrame(
      type: type, flags: [], epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), stream: 0,
      payloadBytes: payloadBytes)
    outgoing.append(frame, fill: fill)
    try flush()
    bytesSent += UInt64(frame.byteCount)
    framesSent += 1
  }

  func send(_ type: FrameType, _ message: some WireMessage) throws(TransportError) {
    let payload = message.payload
    try send(type, payloadBytes: payload.count) { $0.copyBytes(from: payload) }
  }

  /// Waits for the next frame; the payload is valid during the call.
  /// - Parameter deadline: when a frame that comes in small parts is given up, or a little later.
  func receive<Value>(
    until deadline: ContinuousClock.Instant? = nil,
    _ body: (FrameHeader, UnsafeRawBufferPointer) throws(TransportError) -> Value
  ) throws(TransportError) -> Value {
    while true {
      let header: FrameHeader?
      do throws(WireError) { header = try decoder.next(incoming.bytes) } catch {
        throw TransportError(error, from: remote)
      }
      guard let header else {
        if Deadline.hasPassed(deadline) {
          throw TransportError(.timedOut, "\(remote) is too slow on its \(plane) connection")
        }
        try receiveMore()
        continue
      }
      defer { incoming.consume(header.frameByteCount) }
      return try body(
        header, UnsafeRawBufferPointer(rebasing: incoming.bytes[FrameHeader.byteCount..<header.frameByteCount]))
    }
  }

  private func receiveMore() throws(TransportError) {
    let room = incoming.room(16 << 10)
    while true {
      let count = recv(descriptor, room.baseAddress, room.count, 0)
      if count > 0 { return incoming.fill(count) }
      if count == 0 { throw TransportError(.closed, "\(remote) closed the \(plane) connection") }
      try check(SystemError.last)
    }
  }

  private func flush() throws(TransportError) {
    while !outgoing.isEmpty {
      let bytes = outgoing.bytes
      let count = systemSend(descriptor, bytes.baseAddress, bytes.count)
      if count > 0 { outgoing.consume(count) } else if count < 0 { try check(SystemError.last) }
    }
  }

  private func check(_ error: SystemError) throws(TransportError) {
    if error.isInterrupt { return }
    if error.wouldBlock { throw TransportError(.timedOut, "the \(plane) connection to \(remote) has stalled") }
    throw TransportError(.closed, "the \(plane) connection to \(remote) broke: \(error)")
  }
}

private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  send(descriptor, bytes, count, Int32(MSG_NOSIGNAL))
}

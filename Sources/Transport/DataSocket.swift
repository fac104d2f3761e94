#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Wire

/// A non-blocking socket of the data plane with what has come and what has yet to go.
final class DataSocket {
  /// Most bytes taken from one socket before others get their turn.
  private static let receiveBudget = 4 << 20
  private static let receiveBytes = 64 << 10

  let descriptor: Int32
  /// The peer's address, for messages.
  let remote: String
  private let incoming = StreamBuffer(capacity: DataSocket.receiveBytes)
  private let outgoing = StreamBuffer(capacity: 16 << 10)
  private var decoder = FrameDecoder(plane: .data)
  /// Whether the system is still connecting it.
  var isConnecting = false
  /// Whether the peer's preface has still to come.
  private(set) var needsPreface: Bool

  init(_ descriptor: Int32, remote: String, needsPreface: Bool) {
    self.descriptor = descriptor
    self.remote = remote
    self.needsPreface = needsPreface
  }

  deinit { close(descriptor) }

  /// Bytes that the network has not taken yet.
  var backlog: Int { outgoing.count }

  var wantsToWrite: Bool { isConnecting || !outgoing.isEmpty }

  /// Queues frames that were built elsewhere, and empties that buffer.
  func queue(_ frames: StreamBuffer) {
    outgoing.room(frames.count).copyMemory(from: frames.bytes)
    outgoing.fill(frames.count)
    frames.removeAll()
  }

  /// Queues bytes that are no frame, such as a preface.
  func queue(_ bytes: [UInt8]) { outgoing.append(bytes) }

  /// Queues a frame.
  func queueFrame(_ frame: OutgoingFrame, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    outgoing.append(frame, fill: fill)
  }

  /// Ends the connection now; the descriptor itself goes with its last user.
  func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Whether the peer has closed it already and there is nothing more to read.
  var isOver: Bool {
    var byte: UInt8 = 0
    let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    return count == 0 || (count < 0 && !SystemError.last.wouldBlock && !SystemError.last.isInterrupt)
  }

  /// Gives the network as much of the queue as it takes.
  func flush() throws(TransportError) {
    while !outgoing.isEmpty {
      let bytes = outgoing.bytes
      let count = systemSend(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count > 0 {
        outgoing.consume(count)
      } else if count < 0 {
        let error = SystemError.last
        if error.wouldBlock { return }
        if !error.isInterrupt {
          throw TransportError(.closed, "the data connection to \(remote) broke: \(error)")
        }
      }
    }
  }

  /// Takes what has come and hands over the frames in it.
  /// - Returns: whether the budget was used up, so that there may be more.
  func receive(_ body: (FrameHeader, UnsafeRawBufferPointer) throws(TransportError) -> Void) throws(TransportError)
    -> Bool
  {
    var budget = Self.receiveBudget
    while budget > 0 {
      let room = incoming.room(Self.receiveBytes / 4)
      let count = recv(descriptor, room.baseAddress, room.count, 0)
      if count == 0 { throw TransportError(.closed, "\(remote) closed the data connection") }
      if count < 0 {
        let error = SystemError.last
        if error.isInterrupt { continue }
        if error.wouldBlock { return false }
        throw TransportError(.closed, "the data connection to \(remote) broke: \(error)")
      }
      incoming.fill(count)
      budget -= count
      try parse(body)
      if count < room.count { return false }
    }
    return true
  }

  private func parse(
    _ body: (FrameHeader, UnsafeRawBufferPointer) throws(TransportError) -> Void
  ) throws(TransportError) {
    if needsPreface {
      guard incoming.count >= ConnectionPreface.byteCount else { return }
      try checkPreface()
    }
    while let header = try nextHeader() {
      let bytes = incoming.bytes
      try body(header, UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<header.frameByteCount]))
      incoming.consume(header.frameByteCount)
    }
  }

  private func nextHeader() throws(TransportError) -> FrameHeader? {
    do throws(WireError) { return try decoder.next(incoming.bytes) } catch { throw TransportError(error, from: remote) }
  }

  private func checkPreface() throws(TransportError) {
    do throws(WireError) {
      let preface = try ConnectionPreface(
        UnsafeRawBufferPointer(rebasing: incoming.bytes[..<ConnectionPreface.byteCount]))
      guard preface.plane == .data else {
        throw WireError(.badValue, "the peer answered for its \(preface.plane) plane", offset: 6)
      }
    } catch {
      throw TransportError(error, from: remote)
    }
    incoming.consume(ConnectionPreface.byteCount)
    needsPreface = false
  }
}

private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int, _ flags: Int32) -> Int {
  send(descriptor, bytes, count, flags)
}

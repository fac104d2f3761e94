#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import ModelSpec
import Synchronization
import Wire

/// The asking side of a connection that brings pieces: sends requests, a few ahead, and checks every answer.
///
/// Reads block their thread; of several threads one reads at a time. After an error nothing more can be read.
final class PieceStream: Sendable {
  /// Requests that are sent before the first is answered.
  static let requestsInFlight = 4

  private struct Stream: ~Copyable {
    let frames: BlockingFrames
    var failure: TransportError?
  }

  private let stream: Mutex<Stream>
  private let descriptor: Int32
  /// Who answers, for messages.
  private let server: String
  private let sent = Mutex(TrafficCounters())

  /// - Parameters:
  ///   - descriptor: a connected socket; owned from now on.
  ///   - remote: the address of the other side.
  init(_ descriptor: Int32, remote: String, server: String, plane: ConnectionPlane, patience: Duration) {
    self.descriptor = descriptor
    self.server = server
    stream = Mutex(
      Stream(frames: BlockingFrames(descriptor, remote: remote, plane: plane, patience: patience)))
  }

  deinit { systemClose(descriptor) }

  /// What was sent, in `weightBytes` and `weightFrames`.
  var counters: TrafficCounters { sent.withLock { $0 } }

  /// Ends a read under way, and all later ones.
  func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Uses the connection; an error other than `refused` ends it.
  func use(_ body: (BlockingFrames) throws(TransportError) -> Void) throws(TransportError) {
    let (result, bytes, count) = stream.withLock { stream -> (Result<Void, TransportError>, UInt64, UInt64) in
      var result = Result<Void, TransportError>.success(())
      if let failure = stream.failure {
        result = .failure(failure)
      } else {
        do throws(TransportError) { try body(stream.frames) } catch {
          if error.code != .refused { stream.failure = error }
          result = .failure(error)
        }
      }
      return (result, stream.frames.bytesSent, stream.frames.framesSent)
    }
    sent.withLock { counters in
      counters.weightBytes = bytes
      counters.weightFrames = count
    }
    try result.get()
  }

  /// Reads a part of a piece.
  /// - Parameters:
  ///   - offset: first byte of the piece that is wanted.
  ///   - target: filled completely.
  ///   - request: type and payload of the request for so many bytes from an offset on.
  func read(
    _ piece: PieceID, offset: Int, into target: UnsafeMutableRawBufferPointer,
    request: (_ offset: Int, _ byteCount: Int) -> (type: FrameType, payload: [UInt8])
  ) throws(TransportError) {
    // The memory stays with the caller, who waits; only its address goes into the locked region.
    let address = UInt(bitPattern: target.baseAddress)
    let byteCount = target.count
    try use { (frames) throws(TransportError) in
      let target = UnsafeMutableRawBufferPointer(
        start: UnsafeMutableRawPointer(bitPattern: address), count: byteCount)
      try read(piece, offset, target, frames, request)
    }
  }

  private func read(
    _ piece: PieceID, _ offset: Int, _ target: UnsafeMutableRawBufferPointer, _ frames: BlockingFrames,
    _ request: (_ offset: Int, _ byteCount: Int) -> (type: FrameType, payload: [UInt8])
  ) throws(TransportError) {
    var requested = 0
    var received = 0
    var inFlight = 0
    var refusal: TransportError?
    while inFlight > 0 || (requested < target.count && refusal == nil) {
      while inFlight < Self.requestsInFlight, requested < target.count, refusal == nil {
        let count = min(WireLimits.pieceChunkBytes, target.count - requested)
        let (type, payload) = request(offset + requested, count)
        try frames.send(type, payloadBytes: payload.count) { $0.copyBytes(from: payload) }
        requested += count
        inFlight += 1
      }
      try frames.receive { (header, payload) throws(TransportError) in
        inFlight -= 1
        if let sentence = try sentence(header, payload) {
          refusal = TransportError(.refused, "\(server) cannot send \(piece): \(sentence)")
          return
        }
        let expected = min(WireLimits.pieceChunkBytes, target.count - received)
        try accept(
          payload, of: piece, at: offset + received, into: .init(rebasing: target[received...].prefix(expected)))
        received += expected
      }
    }
    if let refusal { throw refusal }
  }

  /// Why the other side refuses; nil when it sends bytes.
  private func sentence(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer
  ) throws(TransportError) -> String? {
    do throws(WireError) {
      switch header.type {
      case .pieceRefused: return try PieceRefused(payload: payload).sentence
      case .pieceData: return nil
      default: throw WireError(.unknownType, "\(header.type) is no answer to a piece request", offset: 6)
      }
    } catch {
      throw TransportError(error, from: server)
    }
  }

  /// Answers come in the order of the requests.
  private func accept(
    _ payload: UnsafeRawBufferPointer, of piece: PieceID, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(TransportError) {
    do throws(WireError) {
      var reader = WireReader(payload)
      let head = try PieceDataHead(from: &reader)
      let bytes = try reader.raw(reader.remaining, "bytes of the piece")
      guard head.piece == piece, head.offset == offset, bytes.count == target.count else {
        throw WireError(
          .badValue,
          "asked for \(target.count) bytes at \(offset) of \(piece), got \(bytes.count) at \(head.offset) of "
            + "\(head.piece)", offset: 0)
      }
      target.copyMemory(from: bytes)
    } catch {
      throw TransportError(error, from: server)
    }
  }
}

private func systemClose(_ descriptor: Int32) { close(descriptor) }

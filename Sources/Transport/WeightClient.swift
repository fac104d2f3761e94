#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
public import ModelSpec
private import Synchronization
public import Wire

/// The worker's side of a weights connection: asks the coordinator for pieces.
///
/// Reads block their thread; of several threads one reads at a time.
public final class WeightClient: Sendable {
  /// Requests that are sent before the first is answered.
  public static let requestsInFlight = 4
  private static let patience = Duration.seconds(30)

  private struct Stream: ~Copyable {
    let frames: BlockingFrames
    /// After an error nothing more can be read.
    var failure: TransportError?
  }

  private let stream: Mutex<Stream>
  private let descriptor: Int32
  private let sent = Mutex(TrafficCounters())

  /// - Parameter descriptor: an accepted socket whose prefaces have been exchanged; owned from now on.
  public init(descriptor: Int32, remote: String) {
    self.descriptor = descriptor
    stream = Mutex(Stream(frames: BlockingFrames(descriptor, remote: remote, patience: Self.patience)))
  }

  deinit { systemClose(descriptor) }

  /// What was sent, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters { sent.withLock { $0 } }

  /// Ends a read under way, and all later ones.
  public func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Reads a part of a piece, or all of it.
  /// - Parameters:
  ///   - offset: first byte of the piece that is wanted.
  ///   - target: filled completely.
  /// - Throws: `TransportError`: `refused` when the coordinator cannot send it; any other means that the connection is
  ///   of no use any more.
  public func read(
    _ piece: PieceID, offset: Int = 0, into target: UnsafeMutableRawBufferPointer
  ) throws(TransportError) {
    // The memory stays with the caller, who waits; only its address goes into the locked region.
    let address = UInt(bitPattern: target.baseAddress)
    let byteCount = target.count
    let result = stream.withLock { stream -> Result<Void, TransportError> in
      if let failure = stream.failure { return .failure(failure) }
      do throws(TransportError) {
        let target = UnsafeMutableRawBufferPointer(
          start: UnsafeMutableRawPointer(bitPattern: address), count: byteCount)
        try read(piece, offset, target, stream.frames)
        return .success(())
      } catch {
        if error.code != .refused { stream.failure = error }
        return .failure(error)
      }
    }
    try result.get()
  }

  private func read(
    _ piece: PieceID, _ offset: Int, _ target: UnsafeMutableRawBufferPointer, _ frames: BlockingFrames
  ) throws(TransportError) {
    var requested = 0
    var received = 0
    var inFlight = 0
    var refusal: TransportError?
    while inFlight > 0 || (requested < target.count && refusal == nil) {
      while inFlight < Self.requestsInFlight, requested < target.count, refusal == nil {
        let count = min(WireLimits.pieceChunkBytes, target.count - requested)
        try frames.send(.pieceRequest, PieceRequest(piece: piece, offset: offset + requested, byteCount: count))
        requested += count
        inFlight += 1
      }
      try frames.receive { (header, payload) throws(TransportError) in
        inFlight -= 1
        if let sentence = try sentence(header, payload) {
          refusal = TransportError(.refused, "the coordinator cannot send \(piece): \(sentence)")
          return
        }
        let expected = min(WireLimits.pieceChunkBytes, target.count - received)
        try accept(
          payload, of: piece, at: offset + received, into: .init(rebasing: target[received...].prefix(expected)))
        received += expected
      }
    }
    let (bytes, count) = (frames.bytesSent, frames.framesSent)
    sent.withLock { counters in
      counters.weightBytes = bytes
      counters.weightFrames = count
    }
    if let refusal { throw refusal }
  }

  /// Why the coordinator refuses; nil when it sends bytes.
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
      throw TransportError(error, from: "coordinator")
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
      throw TransportError(error, from: "coordinator")
    }
  }
}

private func systemClose(_ descriptor: Int32) { close(descriptor) }

public import ModelSpec
public import Tensors
public import Wire

/// Asks another worker for pieces that it has.
///
/// Everything blocks: this is for a loader's thread. Nothing that comes is trusted but its length; the caller compares
/// the hash of the whole piece.
public final class PieceClient: Sendable {
  private let stream: PieceStream

  /// Dials the worker and says who asks.
  /// - Parameters:
  ///   - hello: names of both, and whose workers they are. A worker that does not like it closes the connection, which
  ///     the first read finds.
  ///   - timeout: how long to wait for the connection and the worker's preface. Looking a host name up may add to it.
  ///   - patience: how long a read may bring nothing.
  /// - Throws: `TransportError` when nobody answers there, or not as a worker of this version.
  public init(
    dial address: HostPort, as hello: PeerHello, timeout: Duration, patience: Duration = .seconds(10)
  ) throws(TransportError) {
    let deadline = ContinuousClock.now + timeout
    let descriptor = try Dialer.connect(to: address, until: deadline, isPatient: false)
    stream = PieceStream(
      descriptor, remote: "\(hello.receiver) at \(address)", server: "\(hello.receiver)", plane: .pieces,
      patience: max(deadline - ContinuousClock.now, .milliseconds(1)))
    try stream.use { (frames) throws(TransportError) in
      try frames.greet()
      try frames.send(.peerHello, hello)
      frames.setPatience(patience)
    }
  }

  /// What was sent, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters { stream.counters }

  /// Ends a read under way, and all later ones.
  public func close() { stream.close() }

  /// Reads a part of a piece, or all of it, with at most 4 requests in flight.
  /// - Parameters:
  ///   - digest: SHA-256 of the whole piece, by which the other worker looks for it.
  ///   - offset: first byte of the piece that is wanted.
  ///   - target: filled completely, with what need not be the piece: compare its hash.
  /// - Throws: `TransportError`: `refused` when the worker does not have it, and others may be asked for; any other
  ///   means that the connection is of no use any more.
  public func read(
    model: Digest, piece: PieceID, digest: Digest, offset: Int = 0, into target: UnsafeMutableRawBufferPointer
  ) throws(TransportError) {
    try stream.read(piece, offset: offset, into: target) { offset, byteCount in
      let request = StoredPieceRequest(
        model: model, piece: piece, digest: digest, offset: offset, byteCount: byteCount)
      return (.storedPieceRequest, request.payload)
    }
  }
}

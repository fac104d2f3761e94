public import ModelSpec
public import Wire

/// The worker's side of a weights connection: asks the coordinator for pieces.
///
/// Reads block their thread; of several threads one reads at a time.
public final class WeightClient: Sendable {
  /// Requests that are sent before the first is answered.
  public static let requestsInFlight = PieceStream.requestsInFlight
  private static let patience = Duration.seconds(30)

  private let stream: PieceStream

  /// - Parameter descriptor: an accepted socket whose prefaces have been exchanged; owned from now on.
  public init(descriptor: Int32, remote: String) {
    stream = PieceStream(
      descriptor, remote: remote, server: "the coordinator", plane: .weights, patience: Self.patience)
  }

  /// What was sent, in `weightBytes` and `weightFrames`.
  public var counters: TrafficCounters { stream.counters }

  /// Ends a read under way, and all later ones.
  public func close() { stream.close() }

  /// Reads a part of a piece, or all of it.
  /// - Parameters:
  ///   - offset: first byte of the piece that is wanted.
  ///   - target: filled completely.
  /// - Throws: `TransportError`: `refused` when the coordinator cannot send it; any other means that the connection is
  ///   of no use any more.
  public func read(
    _ piece: PieceID, offset: Int = 0, into target: UnsafeMutableRawBufferPointer
  ) throws(TransportError) {
    try stream.read(piece, offset: offset, into: target) { offset, byteCount in
      (.pieceRequest, PieceRequest(piece: piece, offset: offset, byteCount: byteCount).payload)
    }
  }
}

/// What a connection has carried of late, for those who must tell a slow peer from a dead one (`NodeWatch`).
public struct LinkVitals: Sendable, Hashable {
  /// Every byte that has arrived, those of frames that are not complete included.
  public let bytesReceived: UInt64
  /// Bytes of ours that the peer's system has acknowledged; 0 where the system does not say.
  public let bytesAcknowledged: UInt64
  /// Bytes of ours that are queued or sent and not yet acknowledged.
  public let bytesPending: UInt64

  public init(bytesReceived: UInt64, bytesAcknowledged: UInt64, bytesPending: UInt64) {
    self.bytesReceived = bytesReceived
    self.bytesAcknowledged = bytesAcknowledged
    self.bytesPending = bytesPending
  }
}

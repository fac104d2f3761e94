/// Whether a peer's system still acknowledges what is on its way to it.
///
/// A system acknowledges at once whatever its process does, and one whose process reads nothing leaves nothing on its way:
/// what it has no room for is not sent. So bytes that are on their way and of which none is acknowledged mean that the
/// connection is cut, long before TCP itself gives it up.
struct AcknowledgementWatch: Sendable {
  /// How long nothing may be acknowledged: three repetitions at the usual times (0.2, 0.6 and 1.4 s) have been lost then.
  static let limit = Duration.seconds(2)
  /// Pause between two looks.
  static let interval = Duration.milliseconds(500)

  private var acknowledged: UInt64 = 0
  /// The first look with bytes on their way and none acknowledged since.
  private var since: ContinuousClock.Instant?

  /// Takes what the system says of the connection now.
  /// - Parameters:
  ///   - acknowledged: bytes of ours that the peer's system has acknowledged so far.
  ///   - isUnderWay: whether it has been sent bytes that it has not.
  /// - Returns: whether the connection has to be taken for cut.
  mutating func look(acknowledged: UInt64, isUnderWay: Bool, at now: ContinuousClock.Instant) -> Bool {
    defer { self.acknowledged = acknowledged }
    guard isUnderWay else {
      since = nil
      return false
    }
    guard let since, acknowledged == self.acknowledged else {
      since = now
      return false
    }
    return now - since >= Self.limit
  }
}

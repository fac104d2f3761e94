/// Whether a connected node gives signs of life, and when to ask it for one.
///
/// A node is lost when several questions in a row had no answer. Questions are counted and not time alone, so that
/// after a pause of this very process nobody is taken for silent. A sign of life is: any byte from the node, or
/// acknowledgements of our bytes while more of them are still on their way (a slow link). Acknowledgements of
/// everything prove nothing: the system of a stopped process gives them too. A node that answers, but whose engine
/// says that it works and gets nowhere, hangs.
public struct NodeWatch: Sendable, Hashable {
  /// How patient it is.
  public struct Limits: Sendable, Hashable {
    /// Silence before the node is asked, and between two questions.
    public var ping = Duration.milliseconds(200)
    /// Questions in a row without a sign of life after which the node is lost.
    public var unansweredPings = 3
    /// How long an engine may work on one thing.
    public var hang = Duration.seconds(30)

    public init() {}
  }

  /// What is to be done.
  public enum Verdict: Sendable, Hashable {
    case fine
    /// Send it a ping.
    case ask
    /// It is lost; why, to follow the node's name in a sentence.
    case lost(String)
  }

  /// Bytes of a connection, as counted by the transport.
  public struct Sample: Sendable, Hashable {
    /// Arrived from the node.
    public let received: UInt64
    /// Ours that the node's system has acknowledged.
    public let acknowledged: UInt64
    /// Ours that it has not.
    public let pending: Int

    public init(received: UInt64, acknowledged: UInt64, pending: Int) {
      self.received = received
      self.acknowledged = acknowledged
      self.pending = pending
    }

    /// Whether there was a sign of life between an earlier look and this one: bytes have arrived, however few, or some of
    /// ours were acknowledged while others wait. Acknowledgements with nothing left to send prove nothing: the system of
    /// a process that has stopped goes on acknowledging what fits its buffers.
    public func showsLife(since earlier: Sample) -> Bool {
      received > earlier.received || (pending > 0 && acknowledged > earlier.acknowledged)
    }
  }

  private let limits: Limits
  private var heardAt: ContinuousClock.Instant
  private var askedAt: ContinuousClock.Instant
  private var unanswered = 0
  private var progress: UInt64 = 0
  private var progressAt: ContinuousClock.Instant
  private var isWorking = false
  /// For how long its engine has got nowhere, when that is too long.
  private var stuck: Duration?
  private var sample: Sample?

  /// - Parameter now: when the node was last heard of.
  public init(_ limits: Limits, now: ContinuousClock.Instant) {
    self.limits = limits
    heardAt = now
    askedAt = now
    progressAt = now
  }

  /// The node's engine thread has sent something.
  public mutating func heard(at now: ContinuousClock.Instant) {
    alive(at: now)
    progressAt = now
    stuck = nil
    // What has arrived until now is heard already.
    sample = nil
  }

  /// The node has answered a ping.
  /// - Parameters:
  ///   - progress: grows while its engine gets on.
  ///   - isWorking: whether its engine has something to do.
  public mutating func answered(progress: UInt64, isWorking: Bool, at now: ContinuousClock.Instant) {
    alive(at: now)
    sample = nil
    if progress != self.progress || !isWorking || !self.isWorking { progressAt = now }
    self.progress = progress
    self.isWorking = isWorking
    // Judged when it answers, so that a pause of this process is nobody's fault.
    stuck = now >= progressAt + limits.hang ? now - progressAt : nil
  }

  /// What the transport has counted so far.
  public mutating func count(_ new: Sample, at now: ContinuousClock.Instant) {
    defer { sample = new }
    guard let old = sample else { return }
    if new.showsLife(since: old) { alive(at: now) }
  }

  /// What to do now; after `.ask` the caller sends a ping.
  public mutating func check(now: ContinuousClock.Instant) -> Verdict {
    if let stuck {
      return .lost("has been stuck in one piece of work for \(stuck.components.seconds) seconds")
    }
    guard now >= nextLook else { return .fine }
    guard unanswered < limits.unansweredPings else {
      let silence = (now - heardAt).components
      let tenths = silence.seconds * 10 + silence.attoseconds / 100_000_000_000_000_000
      return .lost("has given no sign of life for \(tenths / 10).\(tenths % 10) seconds")
    }
    unanswered += 1
    askedAt = now
    return .ask
  }

  /// When to check next at the latest.
  public var nextLook: ContinuousClock.Instant { max(heardAt, askedAt) + limits.ping }

  private mutating func alive(at now: ContinuousClock.Instant) {
    heardAt = max(heardAt, now)
    unanswered = 0
  }
}

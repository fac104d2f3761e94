public import Transport

/// What is wrong with a simulated network.
public struct FaultPlan: Sendable {
  /// Probability that a packet waits a while, and everything behind it on its connection too; what travels between
  /// others overtakes it.
  public var hold = 0.0
  /// Probability, each time the network has its turn, that a waiting packet goes on.
  public var release = 0.5
  /// Whether waiting packets stay where they are until this is changed.
  public var isFrozen = false
  /// How long packets travel, drawn for each; those of one connection keep their order. Nil for networks without time.
  public var latency: ClosedRange<Duration>?
  /// Probability that a packet travels twenty times as long.
  public var spike = 0.0
  /// Probability that a connection breaks under a packet.
  public var cut = 0.0
  /// Probability that a packet is lost and its connection lives on; clients are spared.
  public var drop = 0.0
  /// Probability that a data frame comes twice.
  public var duplicate = 0.0
  /// Decides about single packets before chance does; nil leaves a packet to chance.
  public var rule: (@Sendable (PacketRecord) -> InProcessFate?)?

  public init(
    hold: Double = 0, release: Double = 0.5, cut: Double = 0,
    rule: (@Sendable (PacketRecord) -> InProcessFate?)? = nil
  ) {
    self.hold = hold
    self.release = release
    self.cut = cut
    self.rule = rule
  }

  /// A network without faults.
  public static let none = FaultPlan()

  /// A network on which nothing is lost, but nothing is on time either.
  public static let slow = FaultPlan(hold: 0.3, release: 0.6)

  /// A network on which packets take their time, and nothing else happens to them.
  public static func timed(_ latency: ClosedRange<Duration>) -> FaultPlan {
    var plan = FaultPlan()
    plan.latency = latency
    return plan
  }

  /// Drops whatever a rule picks.
  public static func drop(_ isDropped: @escaping @Sendable (PacketRecord) -> Bool) -> FaultPlan {
    FaultPlan { isDropped($0) ? .drop : nil }
  }
}

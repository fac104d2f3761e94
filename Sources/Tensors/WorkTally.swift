/// What an engine's thread spends its time on, as far as it is counted.
public enum WorkPart: Int, Sendable, Hashable, CaseIterable {
  /// Attention, with its norms, projections and keys and values.
  case attention
  /// The router, with the norm before it.
  case router
  /// Feed-forward blocks: routed experts computed here, for whomever; shared experts; dense blocks; adding up sums.
  case experts
  /// Token embedding, output projection and sampling.
  case output
  /// Frames of other nodes and for them: encoding, sending, looking for them, decoding.
  case wire
  /// Nothing can be computed while passes of this node await experts.
  case waiting
}

/// Nanoseconds by part of the work.
public struct WorkTimes: Sendable, Hashable {
  public var attention: UInt64 = 0
  public var router: UInt64 = 0
  public var experts: UInt64 = 0
  public var output: UInt64 = 0
  public var wire: UInt64 = 0
  public var waiting: UInt64 = 0

  /// No time at all.
  public init() {}

  /// All parts in which something is computed.
  public var computing: UInt64 { attention &+ router &+ experts &+ output }

  /// The time of one part.
  public subscript(part: WorkPart) -> UInt64 {
    get {
      switch part {
      case .attention: attention
      case .router: router
      case .experts: experts
      case .output: output
      case .wire: wire
      case .waiting: waiting
      }
    }
    set {
      switch part {
      case .attention: attention = newValue
      case .router: router = newValue
      case .experts: experts = newValue
      case .output: output = newValue
      case .wire: wire = newValue
      case .waiting: waiting = newValue
      }
    }
  }
}

/// What a node has done in steps of one phase: where its engine's time went, and what it sent other nodes. It only grows.
public struct WorkTally: Sendable, Hashable {
  public var times = WorkTimes()
  /// Bytes of frames to other nodes, headers included.
  public var sentBytes: UInt64 = 0
  /// Exchanges with expert nodes: all nodes of one layer and pass counted once.
  public var roundTrips: UInt64 = 0

  /// Nothing.
  public init() {}

  public static func + (left: Self, right: Self) -> Self { left.combined(with: right, &+) }
  /// What was done between two readings.
  public static func - (left: Self, right: Self) -> Self { left.combined(with: right, &-) }

  /// Whether no number is below that of an earlier reading, as is so when the same process has made both.
  public func isLater(than earlier: Self) -> Bool {
    sentBytes >= earlier.sentBytes && roundTrips >= earlier.roundTrips
      && WorkPart.allCases.allSatisfy { times[$0] >= earlier.times[$0] }
  }

  private func combined(with other: Self, _ combine: (UInt64, UInt64) -> UInt64) -> Self {
    var result = Self()
    for part in WorkPart.allCases { result.times[part] = combine(times[part], other.times[part]) }
    result.sentBytes = combine(sentBytes, other.sentBytes)
    result.roundTrips = combine(roundTrips, other.roundTrips)
    return result
  }
}

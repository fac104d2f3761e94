/// What a process has sent, headers included; it only grows.
public struct TrafficCounters: WireMessage {
  public var dataBytes: UInt64 = 0
  public var dataFrames: UInt64 = 0
  public var controlBytes: UInt64 = 0
  public var controlFrames: UInt64 = 0
  public var weightBytes: UInt64 = 0
  public var weightFrames: UInt64 = 0
  /// Exchanges with expert nodes: dispatches that were answered, all nodes of one layer and pass counted once.
  public var roundTrips: UInt64 = 0

  public init() {}

  public static func + (left: Self, right: Self) -> Self { left.combined(with: right, &+) }
  /// What was sent between two readings.
  public static func - (left: Self, right: Self) -> Self { left.combined(with: right, &-) }

  public func write(to writer: inout WireWriter) {
    for value in [dataBytes, dataFrames, controlBytes, controlFrames, weightBytes, weightFrames, roundTrips] {
      writer.u64(value)
    }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    dataBytes = try reader.u64("data bytes")
    dataFrames = try reader.u64("data frames")
    controlBytes = try reader.u64("control bytes")
    controlFrames = try reader.u64("control frames")
    weightBytes = try reader.u64("weight bytes")
    weightFrames = try reader.u64("weight frames")
    roundTrips = try reader.u64("round trips")
  }

  private func combined(with other: Self, _ combine: (UInt64, UInt64) -> UInt64) -> Self {
    var result = Self()
    result.dataBytes = combine(dataBytes, other.dataBytes)
    result.dataFrames = combine(dataFrames, other.dataFrames)
    result.controlBytes = combine(controlBytes, other.controlBytes)
    result.controlFrames = combine(controlFrames, other.controlFrames)
    result.weightBytes = combine(weightBytes, other.weightBytes)
    result.weightFrames = combine(weightFrames, other.weightFrames)
    result.roundTrips = combine(roundTrips, other.roundTrips)
    return result
  }
}

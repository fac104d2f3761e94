public import Tensors

/// Worker to coordinator: what it has sent and done since the coordinator's hello; it only grows, the memory included.
public struct NodeCounters: WireMessage {
  /// All that the process has sent.
  public var traffic = TrafficCounters()
  /// What decode steps have taken.
  public var decode = WorkTally()
  /// What prefill steps have taken.
  public var prefill = WorkTally()
  /// Most bytes of memory the process has had since it began; 0 when that is not known.
  public var peakMemoryBytes = 0

  /// Nothing.
  public init() {}

  public func write(to writer: inout WireWriter) {
    traffic.write(to: &writer)
    decode.write(to: &writer)
    prefill.write(to: &writer)
    writer.long(peakMemoryBytes)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    traffic = try TrafficCounters(from: &reader)
    decode = try WorkTally(from: &reader)
    prefill = try WorkTally(from: &reader)
    peakMemoryBytes = try reader.long("most memory")
  }
}

extension WorkTally {
  func write(to writer: inout WireWriter) {
    for part in WorkPart.allCases { writer.u64(times[part]) }
    writer.u64(sentBytes)
    writer.u64(roundTrips)
  }

  init(from reader: inout WireReader) throws(WireError) {
    self.init()
    for part in WorkPart.allCases { times[part] = try reader.u64("nanoseconds of a part") }
    sentBytes = try reader.u64("bytes sent")
    roundTrips = try reader.u64("round trips")
  }
}

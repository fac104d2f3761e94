public import Tensors

/// Why a generation ended.
public enum StopReason: UInt8, Sendable, Hashable, CaseIterable {
  /// The model gave an end-of-sequence token.
  case endOfText = 0
  /// As many tokens as were allowed.
  case maxTokens = 1
  /// The context is full.
  case contextFull = 2
  case cancelled = 3
  /// Nothing was to be generated: the logits have been sent.
  case logitsDone = 4
}

/// Where the time of a job went.
public struct JobTiming: Sendable, Hashable {
  public let promptTokens: Int
  public let completionTokens: Int
  /// From acceptance to the first step.
  public let queued: Duration
  /// From the first step to the first token.
  public let prefill: Duration
  /// From the first token to the last.
  public let decode: Duration

  public init(promptTokens: Int, completionTokens: Int, queued: Duration, prefill: Duration, decode: Duration) {
    self.promptTokens = promptTokens
    self.completionTokens = completionTokens
    self.queued = queued
    self.prefill = prefill
    self.decode = decode
  }

  func write(to writer: inout WireWriter) {
    writer.int(promptTokens)
    writer.int(completionTokens)
    for duration in [queued, prefill, decode] { writer.u64(duration.wireNanoseconds) }
  }

  init(from reader: inout WireReader) throws(WireError) {
    promptTokens = Int(try reader.u32("tokens of the prompt"))
    completionTokens = Int(try reader.u32("tokens of the completion"))
    queued = .nanoseconds(try reader.long("time in the queue"))
    prefill = .nanoseconds(try reader.long("time of prefill"))
    decode = .nanoseconds(try reader.long("time of decode"))
  }
}

/// What one node sent while a job ran.
public struct NodeTraffic: Sendable, Hashable {
  public let node: NodeID
  public let counters: TrafficCounters

  public init(node: NodeID, counters: TrafficCounters) {
    self.node = node
    self.counters = counters
  }
}

/// Coordinator to client: a job is through.
public struct JobFinished: WireMessage {
  public let job: UInt64
  public let stopReason: StopReason
  /// Pipeline stages the job went through.
  public let stageCount: Int
  public let timing: JobTiming
  public let traffic: [NodeTraffic]

  public init(job: UInt64, stopReason: StopReason, stageCount: Int, timing: JobTiming, traffic: [NodeTraffic]) {
    self.job = job
    self.stopReason = stopReason
    self.stageCount = stageCount
    self.timing = timing
    self.traffic = traffic
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(job)
    writer.u8(stopReason.rawValue)
    writer.zeros(1)
    writer.u16(UInt16(clamping: stageCount))
    timing.write(to: &writer)
    writer.list(traffic) { writer, traffic in
      writer.string(traffic.node.rawValue)
      traffic.counters.write(to: &writer)
    }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    job = try reader.u64("job")
    stopReason = try reader.enumeration("stop reason")
    try reader.zeros(1, "reserved")
    stageCount = Int(try reader.u16("stages"))
    timing = try JobTiming(from: &reader)
    traffic = try reader.list("nodes", limit: WireLimits.nodes + 1, elementBytes: 60) { (reader) throws(WireError) in
      let node = NodeID(try reader.string("node name"))
      return NodeTraffic(node: node, counters: try TrafficCounters(from: &reader))
    }
  }
}

extension Duration {
  /// Whole nanoseconds, kept within what the wire allows.
  fileprivate var wireNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < UInt64(WireLimits.byteCount) / 1_000_000_000 else { return UInt64(WireLimits.byteCount) }
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
  }
}

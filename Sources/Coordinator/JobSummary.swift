public import Scheduling
public import Tensors

/// How a job went.
public struct JobSummary: Sendable, Hashable {
  public let promptTokens: [TokenID]
  /// The generated tokens, in order; a token that ended the answer included.
  public let tokens: [TokenID]
  public let text: String
  public let stopReason: EndReason
  public let seed: UInt64
  public let timing: JobTiming
  public let wire: WireUsage
  public let nodeCount: Int
  public let stageCount: Int

  public init(
    promptTokens: [TokenID], tokens: [TokenID], text: String, stopReason: EndReason, seed: UInt64,
    timing: JobTiming, wire: WireUsage, nodeCount: Int, stageCount: Int
  ) {
    self.promptTokens = promptTokens
    self.tokens = tokens
    self.text = text
    self.stopReason = stopReason
    self.seed = seed
    self.timing = timing
    self.wire = wire
    self.nodeCount = nodeCount
    self.stageCount = stageCount
  }

  /// Generated tokens after the first, per second of decoding; nil for fewer than two.
  public var tokensPerSecond: Double? {
    guard tokens.count > 1, timing.decode > 0 else { return nil }
    return Double(tokens.count - 1) / timing.decode
  }

  /// Prompt tokens per second of prefill.
  public var promptTokensPerSecond: Double? {
    timing.prefill > 0 ? Double(promptTokens.count) / timing.prefill : nil
  }
}

/// Where a job's time went, in seconds.
public struct JobTiming: Sendable, Hashable {
  /// From the submission to the job's first step: loading of the model, waiting for others.
  public var queue: Double
  /// From the first step to the first token, or to the end when there is none.
  public var prefill: Double
  /// From the first token to the end.
  public var decode: Double
  /// From the submission to the first token; nil when there is none.
  public var firstToken: Double?

  public init(queue: Double = 0, prefill: Double = 0, decode: Double = 0, firstToken: Double? = nil) {
    self.queue = queue
    self.prefill = prefill
    self.decode = decode
    self.firstToken = firstToken
  }
}

/// What the cluster sent while a job was there; each byte is counted once, at its sender.
///
/// Jobs that run side by side share the cluster, so each of them reports what all of them sent in its time. A job that
/// was submitted before the cluster was up includes what it took to bring it up.
public struct WireUsage: Sendable, Hashable {
  /// By node, in the placement's order, this process first under the name `coordinator`.
  public let nodes: [Node]

  public init(nodes: [Node]) { self.nodes = nodes }

  public struct Node: Sendable, Hashable {
    public let name: String
    public let counters: WireCounters

    public init(name: String, counters: WireCounters) {
      self.name = name
      self.counters = counters
    }
  }

  /// The name under which this process's own traffic stands.
  public static let coordinatorName = "coordinator"

  /// Of all nodes together.
  public var total: WireCounters { nodes.reduce(WireCounters()) { $0.adding($1.counters) } }
}

/// What one process sent, frame headers included.
public struct WireCounters: Sendable, Hashable {
  public var dataBytes: UInt64 = 0
  public var dataFrames: UInt64 = 0
  public var controlBytes: UInt64 = 0
  public var controlFrames: UInt64 = 0
  public var weightBytes: UInt64 = 0
  public var weightFrames: UInt64 = 0
  /// Exchanges with experts that it waited for.
  public var roundTrips: UInt64 = 0

  public init() {}

  /// Both planes, weights apart.
  public var bytes: UInt64 { dataBytes &+ controlBytes }
  /// Both planes, weights apart.
  public var frames: UInt64 { dataFrames &+ controlFrames }

  public func adding(_ other: WireCounters) -> WireCounters { combined(other, &+) }

  /// What came on top of an earlier reading; 0 where the reading went back (a process that was started anew).
  public func since(_ earlier: WireCounters) -> WireCounters {
    combined(earlier) { $0 >= $1 ? $0 - $1 : $0 }
  }

  private func combined(_ other: WireCounters, _ operation: (UInt64, UInt64) -> UInt64) -> WireCounters {
    var result = WireCounters()
    result.dataBytes = operation(dataBytes, other.dataBytes)
    result.dataFrames = operation(dataFrames, other.dataFrames)
    result.controlBytes = operation(controlBytes, other.controlBytes)
    result.controlFrames = operation(controlFrames, other.controlFrames)
    result.weightBytes = operation(weightBytes, other.weightBytes)
    result.weightFrames = operation(weightFrames, other.weightFrames)
    result.roundTrips = operation(roundTrips, other.roundTrips)
    return result
  }
}

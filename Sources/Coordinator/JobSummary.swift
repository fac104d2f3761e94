public import Scheduling
public import Tensors
public import Wire

/// How a job went.
public struct JobSummary: Sendable, Hashable {
  public let promptTokens: [TokenID]
  /// The generated tokens, in order; a token that ended the answer included.
  public let tokens: [TokenID]
  public let text: String
  public let stopReason: EndReason
  public let seed: UInt64
  public let timing: Timing
  public let wire: WireUsage
  public let nodeCount: Int
  public let stageCount: Int
  /// What the nodes did meanwhile, in the order of their names; empty when the coordinator is elsewhere, as its clients
  /// are not told.
  public let work: [NodeWork]

  public init(
    promptTokens: [TokenID], tokens: [TokenID], text: String, stopReason: EndReason, seed: UInt64,
    timing: Timing, wire: WireUsage, nodeCount: Int, stageCount: Int,
    work: [NodeWork] = []
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
    self.work = work
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

extension JobSummary {
  /// Where a job's time went, in seconds.
  public struct Timing: Sendable, Hashable {
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
}

/// What the cluster sent while a job was there; each byte is counted once, at its sender.
///
/// Jobs that run side by side share the cluster, so each of them reports what all of them sent in its time. A job that
/// was submitted before the cluster was up includes what it took to bring it up.
public struct WireUsage: Sendable, Hashable {
  /// The coordinator first (under `coordinatorName`), then the nodes in the placement's order.
  public let nodes: [NodeTraffic]

  public init(nodes: [NodeTraffic]) { self.nodes = nodes }

  /// The name under which the coordinator's own traffic stands (in parentheses when a node is called so too).
  public static let coordinatorName = NodeID("coordinator")

  /// Of all nodes together.
  public var total: TrafficCounters { nodes.reduce(TrafficCounters()) { $0 + $1.counters } }
}

/// What a node did while a job was there, for all jobs of that time.
public struct NodeWork: Sendable, Hashable {
  public let node: NodeID
  /// Of steps that decode.
  public let decode: WorkTally
  /// Of steps that take prompts in.
  public let prefill: WorkTally
  /// Most bytes of memory its process has had since it began; 0 when that is not known.
  public let peakMemoryBytes: Int

  public init(node: NodeID, decode: WorkTally, prefill: WorkTally, peakMemoryBytes: Int) {
    self.node = node
    self.decode = decode
    self.prefill = prefill
    self.peakMemoryBytes = peakMemoryBytes
  }
}

extension TrafficCounters {
  /// Bytes of control and data plane, frame headers included, weights apart.
  public var bytes: UInt64 { dataBytes &+ controlBytes }
  /// Frames of control and data plane.
  public var frames: UInt64 { dataFrames &+ controlFrames }
}

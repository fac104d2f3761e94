public import Cluster
public import Scheduling
public import Tensors

/// Coordinator to the first host: run this step.
public struct StepStart: WireMessage {
  public let batch: StepBatch

  public init(batch: StepBatch) { self.batch = batch }

  public func write(to writer: inout WireWriter) {
    writer.u64(batch.id.rawValue)
    writer.u8(batch.phase.rawValue)
    writer.zeros(3)
    writer.u64(batch.follows?.rawValue ?? 0)
    writer.list(batch.entries) { $1.write(to: &$0) }
    SequenceID.writeList(batch.released, to: &writer)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    let id = StepID(rawValue: try reader.u64("step"))
    let phase: StepPhase = try reader.enumeration("phase")
    try reader.zeros(3, "reserved")
    let before = try reader.u64("step before")
    guard before == 0 || before < id.rawValue && phase == .decode else {
      throw reader.bad("step \(id) cannot follow step \(before)", back: 8)
    }
    let entries = try reader.list(
      "entries", limit: WireLimits.entries, elementBytes: StepEntry.wireBytes
    ) { (reader) throws(WireError) in
      try StepEntry(from: &reader, hasTokens: before == 0)
    }
    let released = try SequenceID.readList("released sequences", from: &reader)
    batch = StepBatch(
      id: id, phase: phase, entries: entries, released: released,
      follows: before == 0 ? nil : StepID(rawValue: before))
  }
}

/// Last host to coordinator: what a step made of its entries.
public struct StepOutcome: WireMessage {
  public let step: StepID
  public let results: [StepResult]

  public init(step: StepID, results: [StepResult]) {
    self.step = step
    self.results = results
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(step.rawValue)
    writer.list(results) { $1.write(to: &$0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    step = StepID(rawValue: try reader.u64("step"))
    results = try reader.list(
      "results", limit: WireLimits.entries, elementBytes: StepResult.wireBytes
    ) { (reader) throws(WireError) in
      try StepResult(from: &reader)
    }
  }
}

/// Worker to coordinator: a step cannot be finished.
public struct StepFailed: WireMessage {
  public let step: StepID
  /// Where it failed.
  public let node: NodeID
  /// Whether only a connection or a placement was in the way, so that the step may simply run again.
  public let isInterrupted: Bool
  public let sentence: String

  public init(step: StepID, node: NodeID, isInterrupted: Bool = false, sentence: String) {
    self.step = step
    self.node = node
    self.isInterrupted = isInterrupted
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(step.rawValue)
    writer.bool(isInterrupted)
    writer.zeros(3)
    writer.string(node.rawValue)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    step = StepID(rawValue: try reader.u64("step"))
    isInterrupted = try reader.bool("is interrupted")
    try reader.zeros(3, "reserved")
    node = NodeID(try reader.string("node name"))
    sentence = try reader.string("sentence")
  }
}

/// Worker to coordinator: the data connection to another worker is gone.
public struct PeerLost: WireMessage {
  public let node: NodeIndex
  public let sentence: String

  public init(node: NodeIndex, sentence: String) {
    self.node = node
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.int(node.rawValue)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    node = NodeIndex(try reader.int("node", in: 0...WireLimits.nodes))
    sentence = try reader.string("sentence")
  }
}

/// Are you there, and the answer; the answer repeats the nonce.
public struct Heartbeat: WireMessage {
  public let nonce: UInt64
  /// A number that grows while the sender's engine gets on.
  public let progress: UInt64
  /// Whether the sender's engine is at work: it should get on then. An engine that waits for something to do need not.
  public let isWorking: Bool

  public init(nonce: UInt64, progress: UInt64, isWorking: Bool = false) {
    self.nonce = nonce
    self.progress = progress
    self.isWorking = isWorking
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(nonce)
    writer.u64(progress)
    writer.bool(isWorking)
    writer.zeros(3)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    nonce = try reader.u64("nonce")
    progress = try reader.u64("progress")
    isWorking = try reader.bool("whether it works")
    try reader.zeros(3, "reserved")
  }
}

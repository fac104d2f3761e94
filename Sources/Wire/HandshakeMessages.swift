public import Tensors

/// Who opens a control connection.
public enum PeerRole: UInt8, Sendable, Hashable {
  case coordinator = 0
  case client = 1
}

/// First message of whoever dials a control connection.
public struct Hello: WireMessage {
  public let role: PeerRole
  /// Version of the numerics the dialer computes with; tokens are comparable only between equal versions.
  public let numericsVersion: UInt32
  /// The coordinator's cluster; a client that does not know it sends zeros.
  public let cluster: ClusterID
  public let term: CoordinatorTerm
  /// What the coordinator calls the node it dials; empty from a client.
  public let node: NodeID
  /// Release of the dialer, for people.
  public let software: String

  public init(
    role: PeerRole, numericsVersion: UInt32, cluster: ClusterID, term: CoordinatorTerm, node: NodeID,
    software: String
  ) {
    self.role = role
    self.numericsVersion = numericsVersion
    self.cluster = cluster
    self.term = term
    self.node = node
    self.software = software
  }

  public func write(to writer: inout WireWriter) {
    writer.u8(role.rawValue)
    writer.zeros(3)
    writer.u32(numericsVersion)
    cluster.write(to: &writer)
    writer.u32(term.rawValue)
    writer.string(node.rawValue)
    writer.string(software)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    role = try reader.enumeration("role")
    try reader.zeros(3, "reserved")
    numericsVersion = try reader.u32("numerics version")
    cluster = try ClusterID(from: &reader)
    term = CoordinatorTerm(rawValue: try reader.u32("term"))
    node = NodeID(try reader.string("node name"))
    software = try reader.string("software version")
  }
}

/// What a node can do.
public struct NodeCapabilities: Sendable, Hashable {
  /// Instruction set its kernels use, such as `avx2`.
  public let instructionSet: String
  /// Compute threads it works with.
  public let cores: Int
  /// Bytes of memory it may use for weights, KV and scratch.
  public let memoryBytes: Int
  /// Measured bytes a second; 0 when not measured.
  public let readBandwidth: Int
  /// Release of the node's software.
  public let software: String

  public init(instructionSet: String, cores: Int, memoryBytes: Int, readBandwidth: Int, software: String) {
    self.instructionSet = instructionSet
    self.cores = cores
    self.memoryBytes = memoryBytes
    self.readBandwidth = readBandwidth
    self.software = software
  }

  func write(to writer: inout WireWriter) {
    writer.string(instructionSet)
    writer.int(cores)
    writer.long(memoryBytes)
    writer.long(readBandwidth)
    writer.string(software)
  }

  init(from reader: inout WireReader) throws(WireError) {
    instructionSet = try reader.string("instruction set")
    cores = try reader.int("cores", in: 0...1_000_000)
    memoryBytes = try reader.long("memory")
    readBandwidth = try reader.long("read bandwidth")
    software = try reader.string("software version")
  }
}

/// The listener accepts the connection.
public struct Welcome: WireMessage {
  public let numericsVersion: UInt32
  /// The name the listener goes by.
  public let node: NodeID
  public let capabilities: NodeCapabilities
  /// Model whose weights it holds in memory; nil when none.
  public let model: Digest?

  public init(numericsVersion: UInt32, node: NodeID, capabilities: NodeCapabilities, model: Digest?) {
    self.numericsVersion = numericsVersion
    self.node = node
    self.capabilities = capabilities
    self.model = model
  }

  public func write(to writer: inout WireWriter) {
    writer.u32(numericsVersion)
    writer.string(node.rawValue)
    capabilities.write(to: &writer)
    writer.bool(model != nil)
    if let model { model.write(to: &writer) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    numericsVersion = try reader.u32("numerics version")
    node = NodeID(try reader.string("node name"))
    capabilities = try NodeCapabilities(from: &reader)
    model = try reader.bool("model is there") ? try Digest(from: &reader) : nil
  }
}

/// The listener does not accept the connection; it closes it afterwards.
public struct Refuse: WireMessage {
  /// Why, for programs; 0 when there is no particular code.
  public let code: UInt16
  /// Why, for people: names both sides and what to do.
  public let sentence: String

  public init(code: UInt16, sentence: String) {
    self.code = code
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.u16(code)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    code = try reader.u16("code")
    sentence = try reader.string("sentence")
  }
}

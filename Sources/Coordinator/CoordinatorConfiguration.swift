public import Cluster
public import Scheduling
public import Tensors
public import Tokenization
public import Transport
public import Wire

/// Everything a coordinator must know to bring up one placement of one model.
public struct CoordinatorConfiguration: Sendable {
  /// Identity of the cluster, and which start of its coordinator this is.
  public var cluster: ClusterID
  public var term: CoordinatorTerm
  /// Version of the numerics; workers with another one are refused.
  public var numericsVersion: UInt32
  /// Release of this software, for people.
  public var software: String
  public var model: ModelPlan
  public var placement: Placement
  /// One for each node of the placement, in its order.
  public var nodes: [NodePlan]
  public var kvType: KVType
  public var combine: CombineMode
  /// Positions of one sequence.
  public var context: Int
  /// Sequences with a KV cache at a time.
  public var sequences: Int
  /// Rows of a prefill step.
  public var prefillChunk: Int
  /// Rows of one pass through the layers.
  public var subBatchRows: Int
  public var timeouts = CoordinatorTimeouts()

  public init(
    cluster: ClusterID, term: CoordinatorTerm, numericsVersion: UInt32, software: String, model: ModelPlan,
    placement: Placement, nodes: [NodePlan], kvType: KVType, combine: CombineMode, context: Int, sequences: Int,
    prefillChunk: Int = SchedulerConfiguration.defaultPrefillChunk, subBatchRows: Int
  ) {
    precondition(nodes.map(\.id) == placement.nodes, "one plan for each node of the placement")
    precondition(!placement.stages.isEmpty, "a placement has stages")
    self.cluster = cluster
    self.term = term
    self.numericsVersion = numericsVersion
    self.software = software
    self.model = model
    self.placement = placement
    self.nodes = nodes
    self.kvType = kvType
    self.combine = combine
    self.context = context
    self.sequences = sequences
    self.prefillChunk = prefillChunk
    self.subBatchRows = subBatchRows
  }
}

/// The model as far as the coordinator deals with it.
public struct ModelPlan: Sendable {
  /// Hash of headers and pieces.
  public let id: Digest
  /// The piece `.header`.
  public let header: PieceDescription
  public let tokenizer: Tokenizer
  /// Logits of one position.
  public let vocabularySize: Int

  public init(id: Digest, header: PieceDescription, tokenizer: Tokenizer, vocabularySize: Int) {
    self.id = id
    self.header = header
    self.tokenizer = tokenizer
    self.vocabularySize = vocabularySize
  }
}

/// One node of the placement.
public struct NodePlan: Sendable {
  public let id: NodeID
  /// Where the coordinator reaches it; nil when that is told later (a worker that is just being started).
  public let address: HostPort?
  /// Where the other nodes reach it, when that is elsewhere; port 0 means the port it listens on.
  public let advertised: HostPort?
  /// Its pieces of weights.
  public let pieces: [PieceDescription]

  public init(id: NodeID, address: HostPort?, advertised: HostPort? = nil, pieces: [PieceDescription]) {
    self.id = id
    self.address = address
    self.advertised = advertised
    self.pieces = pieces
  }
}

/// How long a coordinator waits.
public struct CoordinatorTimeouts: Sendable, Hashable {
  /// For a node to start listening and to greet back; connections that fail meanwhile are tried again.
  public var reach: Duration = .seconds(10)
  /// Between two tries.
  public var redial: Duration = .milliseconds(200)
  /// For a node that prepares, since it last got on.
  public var prepare: Duration = .seconds(300)
  /// For all nodes to switch to a prepared placement.
  public var activate: Duration = .seconds(30)
  /// For a step.
  public var step: Duration = .seconds(600)
  /// Without a word from a node before it is asked for one.
  public var ping: Duration = .seconds(5)
  /// Pings without a word in answer after which a node counts as lost. (Not a time: after a pause of this process
  /// nobody must be taken for silent.)
  public var unansweredPings = 12
  /// For the counters at the end of a job; what has not come by then is left out.
  public var counters: Duration = .seconds(2)
  /// For a client to say hello.
  public var greeting: Duration = .seconds(10)

  public init() {}
}

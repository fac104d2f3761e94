public import Cluster
public import JobStore
public import ModelSpec
public import Scheduling
public import Tensors
public import Tokenization
public import Transport
public import Wire

/// Everything a coordinator must know to run one model on the nodes of a topology.
public struct CoordinatorConfiguration: Sendable {
  /// Identity of the cluster, and which start of its coordinator this is.
  public var cluster: ClusterID
  public var term: CoordinatorTerm
  /// Version of the numerics; workers with another one are refused.
  public var numericsVersion: UInt32
  /// Release of this software, for people.
  public var software: String
  public var model: ModelPlan
  /// What the topology wishes for at the start.
  public var desired: DesiredCluster
  public var kvType: KVType
  public var combine: CombineMode
  /// Positions of one sequence.
  public var context: Int
  /// Rows of a prefill step.
  public var prefillChunk: Int
  /// Rows of one pass through the layers.
  public var subBatchRows: Int
  /// Whether to wait for nodes that cannot be reached at the start.
  public var bringUp = BringUp.strict
  /// Durable jobs of an earlier start.
  public var storedJobs: [StoredJob] = []
  /// The next durable job's number.
  public var nextJob: UInt64 = 1
  /// Milliseconds since 1970 when the coordinator starts.
  public var startTime: UInt64 = 0
  /// What was wrong with the topology file at the start, when an earlier one is run instead.
  public var refusal: String?
  public var timeouts = CoordinatorTimeouts()

  /// What happens when the nodes of the topology are not all there at the start.
  public enum BringUp: Sendable, Hashable {
    /// The cluster fails with the reason: somebody waits for one answer.
    case strict
    /// It goes on trying, and jobs wait.
    case patient
  }

  public init(
    cluster: ClusterID, term: CoordinatorTerm, numericsVersion: UInt32, software: String, model: ModelPlan,
    desired: DesiredCluster, kvType: KVType, combine: CombineMode, context: Int,
    prefillChunk: Int = SchedulerConfiguration.defaultPrefillChunk, subBatchRows: Int
  ) {
    self.cluster = cluster
    self.term = term
    self.numericsVersion = numericsVersion
    self.software = software
    self.model = model
    self.desired = desired
    self.kvType = kvType
    self.combine = combine
    self.context = context
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
  /// Layers and experts.
  public let facts: ModelFacts
  /// Bytes of everything.
  public let sizes: ModelSizes
  /// Every piece but the headers.
  public let pieces: [PieceID: PieceDescription]

  public init(
    id: Digest, header: PieceDescription, tokenizer: Tokenizer, vocabularySize: Int, facts: ModelFacts,
    sizes: ModelSizes, pieces: [PieceID: PieceDescription]
  ) {
    self.id = id
    self.header = header
    self.tokenizer = tokenizer
    self.vocabularySize = vocabularySize
    self.facts = facts
    self.sizes = sizes
    self.pieces = pieces
  }
}

/// What a topology wishes for: a placement, and how its nodes are found.
public struct DesiredCluster: Sendable {
  /// Its epoch means nothing.
  public let placement: Placement
  /// One for each node of the placement, in its order.
  public let nodes: [NodePlan]
  /// Sequences with a KV cache at a time.
  public let sequences: Int
  /// The file it was read from, to be kept; empty when there is none.
  public let source: [UInt8]

  public init(placement: Placement, nodes: [NodePlan], sequences: Int, source: [UInt8] = []) {
    precondition(nodes.map(\.id) == placement.nodes, "one plan for each node of the placement")
    precondition(!placement.stages.isEmpty, "a placement has stages")
    self.placement = placement
    self.nodes = nodes
    self.sequences = sequences
    self.source = source
  }
}

/// One node of a topology.
public struct NodePlan: Sendable, Hashable {
  public let id: NodeID
  /// Where the coordinator reaches it; nil when that is told later (a worker that is just being started).
  public let address: HostPort?
  /// Where the other nodes reach it, when that is elsewhere; port 0 means the port it listens on.
  public let advertised: HostPort?
  /// Most bytes it may hold; nil when only the node itself knows.
  public let memoryBytes: Int?
  /// How it is started on this machine (everything behind the program's name); nil for a worker started elsewhere.
  public let launch: [String]?
  /// What of that the topology states; what follows from the number of nodes is no reason to start a worker anew.
  public let settings: [String]

  /// - Parameter settings: nil when all of `launch` is stated.
  public init(
    id: NodeID, address: HostPort?, advertised: HostPort? = nil, memoryBytes: Int? = nil, launch: [String]? = nil,
    settings: [String]? = nil
  ) {
    self.id = id
    self.address = address
    self.advertised = advertised
    self.memoryBytes = memoryBytes
    self.launch = launch
    self.settings = settings ?? launch ?? []
  }
}

/// How long a coordinator waits.
public struct CoordinatorTimeouts: Sendable, Hashable {
  /// For all nodes to start listening and to greet back; connections that fail meanwhile are tried again. After that
  /// a patient coordinator begins with those that are there.
  public var reach: Duration = .seconds(10)
  /// Between two tries, at first; it grows tenfold.
  public var redial: Duration = .milliseconds(200)
  /// Before a node that misbehaved, or could not get ready, is tried again.
  public var mistrust: Duration = .seconds(15)
  /// For a node that prepares, since it last got on.
  public var prepare: Duration = .seconds(300)
  /// For the steps under way to end before a switch; those that have not are taken back and run again.
  public var drain: Duration = .seconds(2)
  /// For all nodes to switch to a prepared placement.
  public var activate: Duration = .seconds(10)
  /// For a step.
  public var step: Duration = .seconds(600)
  /// When a connected node counts as lost.
  public var watch = NodeWatch.Limits()
  /// Between two looks at what durable jobs have generated, to be written down.
  public var checkpoint: Duration = .seconds(1)
  /// For the counters at the end of a job; what has not come by then is left out.
  public var counters: Duration = .seconds(2)
  /// For a client to say hello.
  public var greeting: Duration = .seconds(10)

  public init() {}
}

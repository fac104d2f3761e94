public import Kernels
public import ShardStore
public import Tensors
public import Transport
public import Wire

/// What a worker brings along, before any coordinator has spoken to it.
public struct WorkerConfiguration: Sendable {
  /// The name it goes by until a coordinator names it.
  public var name: NodeID
  public var kernels: Kernels
  /// Compute threads, the engine's own included.
  public var threads: Int
  /// Most bytes of weights, KV cache and scratch; nil for no limit.
  public var memoryLimit: Int?
  /// Bytes of memory the machine has, for the coordinator's information; 0 when unknown.
  public var machineMemory: Int
  /// Pieces kept on disk; nil to keep none.
  public var store: ShardStore?
  /// Folders with GGUF files whose pieces need not travel.
  public var modelFolders: [String]
  /// Where weights come in from the coordinator; nil when they never do.
  public var weights: WeightConnection?
  /// Release of the software, as the handshake reports it.
  public var software: String
  /// How long a new connection may take to say who it is.
  public var helloTimeout: Duration
  /// Says to the control plane that the engine gets on.
  public var pulse: Pulse
  /// The weights in memory, for those who serve them to other workers.
  public var shelf = PieceShelf()
  /// What was sent to other workers that asked for pieces.
  public var pieceCounters: @Sendable () -> TrafficCounters = { TrafficCounters() }
  /// Most bytes of memory that the process has had so far; 0 when that is not known.
  public var peakMemory: @Sendable () -> Int = { 0 }
  /// The time, for measuring how long nodes take and where the engine's time goes.
  public var clock: @Sendable () -> ContinuousClock.Instant = { .now }

  public init(
    name: NodeID, kernels: Kernels, threads: Int, memoryLimit: Int? = nil, machineMemory: Int = 0,
    store: ShardStore? = nil, modelFolders: [String] = [], weights: WeightConnection? = nil,
    software: String = "shoal", helloTimeout: Duration = .seconds(10),
    pulse: Pulse = Pulse()
  ) {
    self.name = name
    self.kernels = kernels
    self.threads = threads
    self.memoryLimit = memoryLimit
    self.machineMemory = machineMemory
    self.store = store
    self.modelFolders = modelFolders
    self.weights = weights
    self.software = software
    self.helloTimeout = helloTimeout
    self.pulse = pulse
  }
}

public import Cluster
public import Coordinator
public import Kernels
public import Tensors

/// How a simulated cluster is set up.
public struct SimulationOptions: Sendable, CustomStringConvertible {
  /// Decides who has a turn when, and which faults strike.
  public var seed: UInt64
  /// Nodes, stages, experts.
  public var placement: Placement
  /// Instruction sets of the nodes; the first again after the last. Those that this machine lacks become scalar.
  public var kernels: [InstructionSet] = [.scalar]
  /// Compute threads of the nodes; the first again after the last.
  public var threads = [1]
  /// Rows of a prefill step.
  public var prefillChunk = 512
  /// Most rows of a pass.
  public var subBatchRows = 64
  /// Sequences with a KV cache at a time.
  public var sequences = 4
  /// Positions of a sequence.
  public var context = 256
  /// How keys and values are stored.
  public var kvType = KVType.f16
  /// How fine the grid of the partial sums is.
  public var combine = CombineMode.exact
  /// By the simulation's clock.
  public var timeouts = CoordinatorTimeouts()
  /// Nodes that are started besides those of the placement, for edits that name them.
  public var otherNodes: [NodeID] = []
  /// Most bytes of nodes.
  public var memory: [NodeID: Int] = [:]
  /// What a coordinator does about nodes that are not there at its start.
  public var bringUp = CoordinatorConfiguration.BringUp.strict
  /// Whether coordinators keep durable jobs, and take clients.
  public var isDurable = false
  /// What is wrong with the network from the start.
  public var faults = FaultPlan.none
  /// Where the workers take their weights from.
  public var weights = WeightOrigin.modelFile

  /// Where workers may find pieces.
  public enum WeightOrigin: Sendable {
    /// From the model's file, as if each worker had it.
    case modelFile
    /// From the coordinator; each worker keeps them in a folder of its own below this one, if there is one.
    case coordinator(storeFolder: String?)
    /// From the coordinator and from each other; each worker keeps them in a store in memory.
    case simulatedStores
  }

  public init(seed: UInt64, placement: Placement) {
    self.seed = seed
    self.placement = placement
  }

  /// Everything needed to repeat a failure.
  public var description: String {
    let stages = placement.stages.map { stage in
      let experts = stage.experts.map { "\($0.node):\($0.experts)" }.joined(separator: " ")
      return "\(stage.layers)@\(stage.host)[\(experts)]"
    }
    return "seed \(seed): \(placement.nodes.count) nodes, \(stages.joined(separator: " ")), kernels \(kernels), "
      + "threads \(threads), chunk \(prefillChunk), passes of \(subBatchRows), KV \(kvType), \(combine), hold \(faults.hold)"
  }
}

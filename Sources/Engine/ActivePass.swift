import ModelGraph
import Scheduling
import Tensors

/// A step on its way through one stage of this node.
final class StepProgress {
  /// How far a pass of the step is in this stage.
  struct Mark {
    /// Whether it is, or was, here.
    var hasBegun: Bool
    /// The first layer whose trunk it has not done; a pass may not overtake the one before it, because it may attend
    /// to that one's keys.
    var trunkDone: LayerIndex
  }

  let id: StepID
  let phase: StepPhase
  let stage: HostedStageState
  let passCount: Int
  /// Where each pass is.
  var marks: [Mark]
  var finishedPasses = 0
  /// Sequences that have rows in it.
  var sequences: Set<SequenceID> = []
  /// Ended sequences of which the next host is told with the first pass that leaves: it frees their memory before it
  /// takes any for this step.
  var released: [SequenceID] = []
  /// The last host's results so far.
  var results: [StepResult] = []

  init(id: StepID, phase: StepPhase, stage: HostedStageState, passCount: Int) {
    self.id = id
    self.phase = phase
    self.stage = stage
    self.passCount = passCount
    marks = Array(repeating: Mark(hasBegun: false, trunkDone: stage.layers.lowerBound), count: passCount)
  }
}

/// A stage hosted here, with its KV cache.
final class HostedStageState {
  let index: Int
  let layers: Range<LayerIndex>
  let isLast: Bool
  let cache: KVCache

  init(_ stage: EngineConfiguration.HostedStage, cache: KVCache) {
    index = stage.index
    layers = stage.layers
    isLast = stage.isLast
    self.cache = cache
  }
}

/// A pass under way in one stage.
final class ActivePass {
  let pass: Pass
  let progress: StepProgress
  let index: Int
  /// What the pass' rows belong to.
  let entries: [StepEntry]
  /// Nodes whose partial sums are awaited, with the rows each was sent.
  var awaited: [AwaitedNode] = []

  init(pass: Pass, progress: StepProgress, index: Int, entries: [StepEntry]) {
    self.pass = pass
    self.progress = progress
    self.index = index
    self.entries = entries
  }

  var key: ExchangeKey {
    ExchangeKey(step: progress.id, phase: progress.phase, pass: index, layer: pass.layer)
  }

  /// Whether there is something to compute now.
  var isReady: Bool {
    if pass.awaitsExperts { return awaited.allSatisfy { !$0.isOpen } }
    return index == 0 || progress.marks[index - 1].trunkDone > pass.layer
      || pass.layer == progress.stage.layers.upperBound
  }
}

/// Rows that were sent to a node in the current exchange of a pass.
struct AwaitedNode {
  let node: Int
  var isOpen: Bool
  /// Rows of the pass, in the order in which they were sent.
  var rows: [Int32]
}

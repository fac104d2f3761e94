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
  /// Parts of the current exchange by their number, `partCount` of them; the others are memory of earlier exchanges.
  var parts: [ExchangePart] = []
  private(set) var partCount = 0
  /// Originals whose sums are not in yet.
  var missingParts = 0
  /// What is kept of the current exchange, when its layer has replicas.
  var retained: RetainedExchange?

  /// Most parts of an exchange: frames number them with 8 bits.
  static let partLimit = 256

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
    if pass.awaitsExperts { return missingParts == 0 }
    return index == 0 || progress.marks[index - 1].trunkDone > pass.layer
      || pass.layer == progress.stage.layers.upperBound
  }

  /// Forgets the parts of the exchange before.
  func beginExchange() {
    for number in 0..<partCount { parts[number].replacement = nil }
    partCount = 0
    missingParts = 0
    retained?.invalidate()
  }

  /// Notes that a node is sent a part of the current exchange.
  /// - Returns: the part's number.
  func addPart(_ rows: RoutedRows, to node: Int, replacing original: Int? = nil) throws(EngineError) -> Int {
    guard partCount < Self.partLimit else {
      throw EngineError(
        .capacity,
        "the rows of layer \(rows.layer) would go out in more than \(Self.partLimit) parts; spread its experts "
          + "over fewer nodes")
    }
    let number = partCount
    if number == parts.count { parts.append(ExchangePart()) }
    partCount += 1
    parts[number].node = node
    parts[number].rows.removeAll(keepingCapacity: true)
    for row in 0..<rows.rowCount { parts[number].rows.append(Int32(rows.sourceRow(row))) }
    parts[number].original = original
    parts[number].isOpen = true
    parts[number].isResent = original != nil
    parts[number].replacement = nil
    if original == nil { missingParts += 1 }
    return number
  }

  /// Whether an answer of that node to that part would be taken.
  func awaits(_ number: Int, from node: Int) -> Bool {
    pass.awaitsExperts && (0..<partCount).contains(number) && parts[number].isOpen && parts[number].node == node
  }

  /// The sums of an original are in: its replacements are no longer awaited.
  func finish(_ number: Int) {
    parts[number].isOpen = false
    missingParts -= 1
    dropReplacements(of: number)
  }

  /// Answers of the replacements of a part are no longer taken, and those that came are dropped.
  func dropReplacements(of number: Int) {
    guard parts[number].replacement != nil else { return }
    parts[number].replacement = nil
    for other in 0..<partCount where parts[other].original == number { parts[other].isOpen = false }
  }
}

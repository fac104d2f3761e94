public import ModelGraph
public import Scheduling
public import Tensors

/// Names one exchange with expert nodes: a pass of a step at a layer.
public struct ExchangeKey: Hashable, Sendable {
  public let step: StepID
  public let phase: StepPhase
  /// Which pass of the step, counted from 0.
  public let pass: Int
  public let layer: LayerIndex

  public init(step: StepID, phase: StepPhase, pass: Int, layer: LayerIndex) {
    self.step = step
    self.phase = phase
    self.pass = pass
    self.layer = layer
  }
}

/// A pass that leaves one stage for the next.
public struct PassHandOver {
  public let step: StepID
  public let phase: StepPhase
  public let pass: Int
  /// Passes of the step; 0 when there is only something to release.
  public let passCount: Int
  public let entries: [StepEntry]
  public let released: [SequenceID]
  /// Residual rows, `[rowCount, hiddenSize]`; valid during the call.
  public let rows: UnsafePointer<Float>
  public let rowCount: Int

  public init(
    step: StepID, phase: StepPhase, pass: Int, passCount: Int, entries: [StepEntry], released: [SequenceID],
    rows: UnsafePointer<Float>, rowCount: Int
  ) {
    self.step = step
    self.phase = phase
    self.pass = pass
    self.passCount = passCount
    self.entries = entries
    self.released = released
    self.rows = rows
    self.rowCount = rowCount
  }
}

/// Where an engine's messages go; called on the engine's thread, must not block. Pointers are valid during the call.
///
/// Of the engine's own functions only `resume` may be called from here. What `send` and `handOver` throw is taken as a
/// loss of the receiver: rows go to another holder of their experts if there is one, else the step is interrupted.
public protocol EngineOutlet: AnyObject {
  /// Chooses a holder for each choice of an exchange; writes node numbers, `ownNode` for this one.
  func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>)
  /// Chooses another holder than `node` for each of some choices whose rows are sent again; this node may be one.
  /// - Returns: false when an expert has no other holder that can be reached; `nodes` may then hold anything.
  func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>,
    except node: Int
  ) -> Bool
  /// Whether any expert of a layer has more than one holder: if not, rows are not kept to be sent again.
  func hasReplicas(_ layer: LayerIndex) -> Bool
  /// Sends rows to a node that holds their experts.
  /// - Parameter part: 0 to 255, which part of the exchange this is; the answer names it.
  func send(_ rows: RoutedRows, for key: ExchangeKey, part: Int, to node: Int) throws
  /// The answer of a part's own node, of `rows` rows, was taken, whether or not the part had been resent meanwhile; not
  /// called for replacements.
  func answered(_ key: ExchangeKey, part: Int, node: Int, rows: Int)
  /// Answers a peer's request: `sums` is `[request.rowCount, hiddenSize]`.
  func answer(_ request: ExpertRequest, sums: UnsafePointer<Int64>) throws
  /// Tells a peer that its request cannot be computed.
  func refuse(_ request: ExpertRequest, because error: any Error)
  /// Sends a pass on to the host of a stage.
  func handOver(_ pass: PassHandOver, toStage stage: Int) throws
  /// A step is through; called on the last host. The one that follows it begins after this call.
  func finished(_ step: StepID, results: [StepResult])
  /// A step cannot be computed. The one that follows it is dropped too, without a call.
  func failed(_ step: StepID, because error: any Error)
  /// A step was dropped because a node could not be reached, or because the one that it follows was dropped; it may be
  /// run again from its start. The one that follows it is dropped too, without a call.
  func interrupted(_ step: StepID, because error: any Error)
}

/// Partial sums that came from a node, row by row.
public protocol PartialSums {
  var rowCount: Int { get }
  /// Adds one row of `[hiddenSize]` sums.
  func add(row: Int, into sums: UnsafeMutablePointer<Int64>)
}

import Tensors

/// The bounds a scheduler keeps.
public struct SchedulerConfiguration: Sendable, Hashable {
  /// Pipeline stages; at most as many steps are in flight, and with one stage a second one that runs ahead.
  public var stageCount: Int
  /// Sequences with a KV cache at a time; more wait.
  public var sequences: Int
  /// Positions of one sequence: prompt and answer together.
  public var context: Int
  /// Tokens of the vocabulary; ids from outside are held against it.
  public var vocabularySize: Int
  /// Rows of a prefill step.
  public var prefillChunk: Int
  /// Rows of logits that one step may be asked for, so that the answers fit frames and queues.
  public var logitRowsPerStep: Int
  /// Sequences that may wait.
  public var waitingLimit: Int

  public static let defaultPrefillChunk = 512
  /// Bytes of logits that all steps in flight may be asked for together.
  public static let logitBytesInFlight = 48 << 20

  /// Every number at least 1; smaller ones are raised to it.
  public init(
    stageCount: Int, sequences: Int, context: Int, vocabularySize: Int,
    prefillChunk: Int = Self.defaultPrefillChunk, waitingLimit: Int = 4096
  ) {
    self.stageCount = max(1, stageCount)
    self.sequences = max(1, sequences)
    self.context = max(1, context)
    self.vocabularySize = max(1, vocabularySize)
    self.prefillChunk = max(1, prefillChunk)
    self.waitingLimit = max(1, waitingLimit)
    logitRowsPerStep = Self.logitRows(stageCount: self.stageCount, vocabularySize: self.vocabularySize)
  }

  /// Rows of logits a step may be asked for when as many steps are in flight as there are stages.
  static func logitRows(stageCount: Int, vocabularySize: Int) -> Int {
    max(1, logitBytesInFlight / stageCount / (4 * vocabularySize))
  }

  /// KV blocks of a sequence with `positions` positions.
  public static func blocks(positions: Int) -> Int {
    (max(0, positions) + KVType.blockPositions - 1) / KVType.blockPositions
  }

  /// KV blocks that every host keeps: enough for `sequences` full contexts.
  public var blockCount: Int { sequences * Self.blocks(positions: context) }
}

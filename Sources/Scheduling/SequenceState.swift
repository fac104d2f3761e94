import Tensors

/// One sequence between its admission and its end.
struct SequenceState: Sendable {
  let request: SequenceRequest
  /// KV blocks reserved for it.
  let blocks: Int
  /// Prompt and answer.
  var tokens: [TokenID]
  /// Positions whose keys and values all hosts have.
  var cached = 0
  /// First position whose logits are wanted and have not come yet.
  var firstLogitPosition: Int
  /// The newest step it is part of; one that runs ahead and the one before it may both be in flight.
  var step: StepID?
  /// Whether the present last host knows how to sample for it.
  var isOpened = false
  /// Whether its last event was told, though a step with it is still in flight.
  var hasEnded = false
  /// Most positions that were ever cached.
  var reached = 0
  /// Steps with it that were interrupted since it last got further than before.
  var interruptions = 0
  /// Order in which sequences became ready; the smallest has waited longest.
  var readySince: UInt64 = 0

  init(_ request: SequenceRequest, answer: [TokenID] = [], context: Int) {
    self.request = request
    tokens = request.prompt + answer
    firstLogitPosition = request.prompt.count - request.logitRows
    blocks = SchedulerConfiguration.blocks(positions: request.positions(context: context))
  }

  /// Nothing of it is in any host's cache any more.
  mutating func forgetCache() {
    cached = 0
    isOpened = false
  }

  var id: SequenceID { request.id }
  var generatedCount: Int { tokens.count - request.prompt.count }
  /// Rows still to be computed before the next token can be sampled.
  var pendingRows: Int { tokens.count - cached }
  /// Whether it extends its answer by one token at a time (its prompt is in the cache, nothing has to be rebuilt).
  var isDecoding: Bool { pendingRows == 1 && cached >= request.prompt.count }
  var isReady: Bool { step == nil }

  /// The rows it brings into a step with room for `rows` rows and `logitRows` rows of logits; nil for none.
  func entry(rows: Int, logitRows: Int) -> StepEntry? {
    var end = min(tokens.count, cached + rows)
    if request.logitRows > 0 { end = min(end, max(firstLogitPosition, cached) + logitRows) }
    guard end > cached else { return nil }
    let isLast = end == tokens.count
    let logits = request.logitRows > 0 ? max(0, end - max(cached, firstLogitPosition)) : 0
    let wanted: Wanted =
      if logits > 0 { .logits(rows: logits) } else if isLast, request.generates { .token } else { .nothing }
    return StepEntry(
      sequence: id, position: cached, rowCount: end - cached, tokens: Array(tokens[cached..<end]), wanted: wanted,
      opening: wanted == .token && !isOpened ? opening : nil)
  }

  private var opening: SequenceOpening {
    let window = max(0, request.sampling.penaltyWindow)
    return SequenceOpening(
      sampling: request.sampling, history: Array(tokens.suffix(window)), endTokens: request.endTokens)
  }
}

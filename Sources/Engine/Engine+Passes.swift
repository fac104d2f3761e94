import ModelGraph
import Scheduling
import Tensors

extension Engine {
  /// Cuts entries into passes of at most `rowCapacity` rows; wanted logits stay with the rows they are of.
  func slice(_ entries: [StepEntry]) -> [[StepEntry]] {
    guard entries.reduce(0, { $0 + $1.rowCount }) > configuration.rowCapacity else {
      return entries.isEmpty ? [] : [entries]
    }
    var result: [[StepEntry]] = []
    var current: [StepEntry] = []
    var room = configuration.rowCapacity
    for entry in entries {
      var start = 0
      while start < entry.rowCount {
        let count = min(room, entry.rowCount - start)
        current.append(entry.part(start..<start + count))
        start += count
        room -= count
        guard room == 0 else { continue }
        result.append(current)
        current = []
        room = configuration.rowCapacity
      }
    }
    if !current.isEmpty { result.append(current) }
    return result
  }

  /// Most passes of a step: frames number them with 16 bits.
  static let passLimit = 65_535

  func open(
    _ step: StepID, _ phase: StepPhase, _ stage: HostedStageState, passCount: Int
  ) throws -> StepProgress {
    let key = StepKey(step: step, stage: stage.index)
    guard steps[key] == nil else { throw EngineError(.protocolViolation, "step \(step) is already under way") }
    guard passCount <= Self.passLimit else {
      throw EngineError(.capacity, "step \(step) has \(passCount) passes; \(Self.passLimit) are allowed")
    }
    let progress = StepProgress(id: step, phase: phase, stage: stage, passCount: passCount)
    steps[key] = progress
    return progress
  }

  func makePass(_ progress: StepProgress, index: Int, entries: [StepEntry]) throws -> ActivePass {
    let pass = sparePasses.popLast() ?? Pass(spec: configuration.spec, rowCapacity: configuration.rowCapacity)
    pass.reset(layer: progress.stage.layers.lowerBound)
    for entry in entries {
      let end = entry.position + entry.rowCount
      guard entry.rowCount >= 1, entry.position >= 0, end <= configuration.context else {
        throw EngineError(
          .capacity, "sequence \(entry.sequence) would reach position \(end); the context is \(configuration.context)")
      }
      let table = try progress.stage.cache.table(of: entry.sequence, positions: end)
      pass.append(position: entry.position, count: entry.rowCount, table: table)
      if let opening = entry.opening, progress.stage.isLast {
        samplingStates[entry.sequence] = SamplingState(opening, end: end)
      }
    }
    try forward.begin(pass)
    let active = ActivePass(pass: pass, progress: progress, index: index, entries: entries)
    passes.append(active)
    progress.marks[index].hasBegun = true
    for entry in entries { progress.sequences.insert(entry.sequence) }
    return active
  }

  /// A step without rows: there was only something to release, or all its sequences have ended.
  func finishEmpty(_ progress: StepProgress, released: [SequenceID]) throws {
    steps[StepKey(step: progress.id, stage: progress.stage.index)] = nil
    guard !progress.stage.isLast else {
      return finish(progress.id, results: progress.results)
    }
    let empty = PassHandOver(
      step: progress.id, phase: progress.phase, pass: 0, passCount: 0, entries: [], released: released,
      rows: UnsafePointer(logits.floats), rowCount: 0)
    try handOver(empty, toStage: progress.stage.index + 1)
  }

  private func handOver(_ pass: PassHandOver, toStage stage: Int) throws(OutletFailure) {
    do {
      try outlet?.handOver(pass, toStage: stage)
    } catch {
      throw OutletFailure(cause: error)
    }
  }

  /// A pass has done its stage's layers: results on the last host, else on to the next.
  func finishStage(_ active: ActivePass) throws {
    let progress = active.progress
    if progress.stage.isLast {
      meter.enter(.output)
      let results = try results(of: active)
      if progress.results.isEmpty { progress.results = results } else { progress.results += results }
    } else {
      let released = progress.released
      progress.released = []
      meter.enter(.wire)
      let handOver = PassHandOver(
        step: progress.id, phase: progress.phase, pass: active.index, passCount: progress.passCount,
        entries: active.entries.map { $0.with(tokens: []) }, released: released,
        rows: UnsafePointer(active.pass.hidden),
        rowCount: active.pass.rowCount)
      try self.handOver(handOver, toStage: progress.stage.index + 1)
    }
    retire(active)
    progress.finishedPasses += 1
    guard progress.finishedPasses == progress.passCount else { return }
    steps[StepKey(step: progress.id, stage: progress.stage.index)] = nil
    guard progress.stage.isLast else { return }
    finish(progress.id, results: progress.passCount == 1 ? progress.results : StepResult.joined(progress.results))
  }

  /// A step is through on its last host.
  private func finish(_ step: StepID, results: [StepResult]) {
    lastFinished = step
    outlet?.finished(step, results: results)
    beginFollower(of: step)
  }
}

extension StepEntry {
  /// The entry with other tokens; between hosts it travels with none.
  func with(tokens: [TokenID]) -> StepEntry {
    StepEntry(
      sequence: sequence, position: position, rowCount: rowCount, tokens: tokens, wanted: wanted, opening: opening)
  }

  /// Some of the entry's rows. A token is wanted after the last row alone; wanted logits are the entry's last rows, so
  /// each part wants those of them that it holds, which are its own last rows.
  func part(_ range: Range<Int>) -> StepEntry {
    guard range != 0..<rowCount else { return self }
    let isEnd = range.upperBound == rowCount
    let partWanted: Wanted =
      switch wanted {
      case .nothing: .nothing
      case .token: isEnd ? .token : .nothing
      case .logits(let rows):
        range.upperBound > rowCount - rows
          ? .logits(rows: range.upperBound - max(range.lowerBound, rowCount - rows)) : .nothing
      }
    return StepEntry(
      sequence: sequence, position: position + range.lowerBound, rowCount: range.count,
      tokens: tokens.isEmpty ? [] : Array(tokens[range]), wanted: partWanted, opening: isEnd ? opening : nil)
  }
}

extension StepResult {
  /// Joins the results of passes: a sequence's logits in order of position; a token or logits win over nothing.
  static func joined(_ results: [StepResult]) -> [StepResult] {
    var joined: [StepResult] = []
    for result in results.sorted(by: { ($0.sequence, $0.position) < ($1.sequence, $1.position) }) {
      guard let last = joined.last, last.sequence == result.sequence else {
        joined.append(result)
        continue
      }
      switch (last.outcome, result.outcome) {
      case (.logits(let rows, let values), .logits(let more, let moreValues)):
        joined[joined.count - 1] = StepResult(
          sequence: result.sequence, position: result.position,
          outcome: .logits(rows: rows + more, values: values + moreValues))
      case (.none, _): joined[joined.count - 1] = result
      default: break
      }
    }
    return joined
  }
}

import ModelGraph
import ModelSpec
import Scheduling
import Tensors

/// Rows that are sent again to another holder of their experts: because an answer is late, because its node cannot give
/// it, or because its node is lost.
extension Engine {
  /// Calls `body` for each answer that is awaited: the exchange, the part, the node that was asked, and whether the part
  /// can no longer be resent (it was, or is itself a replacement).
  func forEachOpenPart(_ body: (_ key: ExchangeKey, _ part: Int, _ node: Int, _ isResent: Bool) -> Void) {
    for active in passes where active.pass.awaitsExperts && active.missingParts > 0 {
      let key = active.key
      for number in 0..<active.partCount where active.parts[number].isOpen {
        body(key, number, active.parts[number].node, active.parts[number].isResent)
      }
    }
  }

  /// Sends the rows of an awaited part to other holders too, and computes those of them here whose experts are here. The
  /// part's sums are then its own node's or those of all replacements, whichever are complete first; what comes later is
  /// ignored.
  /// - Returns: false when the part is not awaited, was resent already, or an expert has no other holder.
  @discardableResult
  public func resend(_ key: ExchangeKey, part number: Int) -> Bool {
    guard let active = awaiting(key), (0..<active.partCount).contains(number), active.parts[number].isOpen,
      !active.parts[number].isResent
    else { return false }
    return sendAgain(number, of: active)
  }

  /// A node is lost: what was asked of it is asked of other holders, and it is no longer listened to where it was asked.
  /// Where that is impossible the step is dropped here, and the outlet hears that it was interrupted.
  ///
  /// The outlet's `assign` must not choose the node any more.
  public func lost(node: Int) {
    let error = EngineError(
      .peerLost, "node \(node), which was asked for experts, is lost and nobody else holds them all")
    for active in passes where active.pass.awaitsExperts {
      let numbers = (0..<active.partCount).filter { active.awaits($0, from: node) }
      // None of them may answer any more before the first is sent again.
      for number in numbers { active.parts[number].isOpen = false }
      for number in numbers where isUnderWay(active) { lose(number, of: active, because: error) }
    }
  }

  /// A node cannot compute what it was sent: its rows go to another holder, once; if there is none the step fails.
  public func refused(_ key: ExchangeKey, part number: Int, by node: Int, because error: any Error) {
    guard let active = awaiting(key), active.awaits(number, from: node) else { return }
    active.parts[number].isOpen = false
    if let original = active.parts[number].original {
      active.dropReplacements(of: original)
      if !active.parts[original].isOpen { fail(key.step, because: error) }
      return
    }
    guard active.parts[number].replacement == nil else { return }
    if active.parts[number].isResent || !sendAgain(number, of: active), isUnderWay(active) {
      fail(key.step, because: error)
    }
  }

  // MARK: - Losing

  /// The node of a part will not answer.
  func lose(_ number: Int, of active: ActivePass, because error: any Error) {
    active.parts[number].isOpen = false
    guard let original = active.parts[number].original else {
      // Its replacements, if any, go on and are enough.
      if active.parts[number].replacement != nil || sendAgain(number, of: active) { return }
      if isUnderWay(active) { interrupt(active.progress.id, because: error) }
      return
    }
    guard active.parts[original].replacement != nil else { return }
    if sendAgain(number, of: active) || !isUnderWay(active) { return }
    active.dropReplacements(of: original)
    active.parts[original].isResent = false
    if !active.parts[original].isOpen { interrupt(active.progress.id, because: error) }
  }

  /// Whether a pass has not been dropped.
  func isUnderWay(_ active: ActivePass) -> Bool { passes.contains { $0 === active } }

  // MARK: - Sending again

  /// Keeps what is needed to send rows of the pass' exchange again; follows the division in the scratch memory.
  func retain(_ rows: RoutedRows, of active: ActivePass) {
    let retained =
      active.retained ?? spareRetained.popLast()
      ?? RetainedExchange(
        rowCapacity: configuration.rowCapacity, choicesPerRow: model.expertsPerToken, hiddenSize: model.hiddenSize)
    active.retained = retained
    retained.keep(rows, nodes: exchangeScratch.nodes, partOfNode: exchangeScratch.partOfNode)
  }

  /// Replaces a part, or a replacement that will not come, by other nodes' parts.
  /// - Returns: whether that was done; if not, the step may have failed.
  private func sendAgain(_ number: Int, of active: ActivePass) -> Bool {
    do {
      return try replace(number, of: active)
    } catch is OutletFailure {
      // What reached others is of no use without the rest.
      let original = active.parts[number].original ?? number
      active.dropReplacements(of: original)
      active.parts[original].isResent = false
      return false
    } catch {
      fail(active.progress.id, because: error)
      return false
    }
  }

  private func replace(_ number: Int, of active: ActivePass) throws -> Bool {
    guard let outlet, let retained = active.retained, retained.isValid else { return false }
    let scratch = exchangeScratch
    let rows = retained.rows
    let former = active.parts[number].node
    let original = active.parts[number].original ?? number
    let isOriginal = original == number
    let partOfChoice = isOriginal ? retained.partOfChoice : retained.replacementOfChoice
    let count = scratch.gather(number, partOfChoice, of: rows)
    guard
      outlet.assign(
        layer: rows.layer, experts: scratch.someExperts, count: count, nodes: scratch.someNodes, except: former),
      scratch.scatter(number, partOfChoice, of: rows, except: former)
    else { return false }
    let nodes = (0..<scratch.nodeCount).filter { $0 != scratch.ownNode && scratch.choicesOfNode[$0] > 0 }
    guard active.partCount + nodes.count <= ActivePass.partLimit else { return false }

    let replacement =
      active.parts[original].replacement
      ?? ReplacementSums(rowCount: active.parts[original].rows.count, hiddenSize: model.hiddenSize)
    active.parts[original].replacement = replacement
    active.parts[original].isResent = true
    // One more while parts are added, so that no answer can complete the sums before all are counted.
    replacement.missing += nodes.count + (isOriginal ? 1 : 0)
    for node in nodes {
      let part = scratch.part(of: rows, for: node)
      scratch.partOfNode[node] = Int32(try active.addPart(part, to: node, replacing: original))
    }
    for choice in 0..<rows.choiceCount where scratch.nodes[choice] >= 0 {
      retained.replacementOfChoice[choice] = scratch.partOfNode[Int(scratch.nodes[choice])]
    }
    try send(rows, of: active, to: nodes)
    try computeReplacement(rows, for: original, of: active)
    countAnswer(replacement, of: original, active)
    return true
  }

  private func send(_ rows: RoutedRows, of active: ActivePass, to nodes: [Int]) throws(OutletFailure) {
    for node in nodes {
      let number = Int(exchangeScratch.partOfNode[node])
      do {
        try outlet?.send(exchangeScratch.part(of: rows, for: node), for: active.key, part: number, to: node)
      } catch {
        throw OutletFailure(cause: error)
      }
    }
  }

  /// This node's share of a part that is sent again.
  private func computeReplacement(_ rows: RoutedRows, for original: Int, of active: ActivePass) throws {
    guard exchangeScratch.choicesOfNode[exchangeScratch.ownNode] > 0,
      let replacement = active.parts[original].replacement
    else { return }
    let part = exchangeScratch.part(of: rows, for: exchangeScratch.ownNode)
    let sums = requestSums.int64s
    let width = model.hiddenSize
    sums.update(repeating: 0, count: part.rowCount * width)
    meter.enter(.experts, prefill: active.progress.phase == .prefill)
    try forward.computeExperts(part, into: sums)
    let places = active.parts[original].rows
    var place = 0
    for row in 0..<part.rowCount {
      while Int(places[place]) != part.sourceRow(row) { place += 1 }
      let target = replacement.sums + place * width
      for index in 0..<width { target[index] &+= sums[row * width + index] }
    }
  }

  // MARK: - Answers of replacements

  /// Adds the answer of a replacement to those of the others.
  /// - Parameter add: adds a row of the answer to sums.
  func addReplacement(
    _ number: Int, of active: ActivePass, _ add: (_ row: Int, _ sums: UnsafeMutablePointer<Int64>) -> Void
  ) {
    guard let original = active.parts[number].original, let replacement = active.parts[original].replacement else {
      return
    }
    let rows = active.parts[number].rows
    let places = active.parts[original].rows
    var place = 0
    for row in rows.indices {
      // Both ascend, and each row of a replacement is one of the original.
      while places[place] != rows[row] { place += 1 }
      add(row, replacement.sums + place * model.hiddenSize)
    }
    countAnswer(replacement, of: original, active)
  }

  /// One of what the replacement of a part waits for is there; after the last its sums are the part's.
  private func countAnswer(_ replacement: ReplacementSums, of original: Int, _ active: ActivePass) {
    replacement.missing -= 1
    guard replacement.missing == 0, active.parts[original].replacement === replacement else { return }
    let rows = active.parts[original].rows
    let width = model.hiddenSize
    for row in rows.indices {
      let target = active.pass.accumulators + Int(rows[row]) * width
      for index in 0..<width { target[index] &+= replacement.sums[row * width + index] }
    }
    active.finish(original)
  }
}

/// The outlet could not take a message: the step may well be computed another time.
struct OutletFailure: Error {
  let cause: any Error
}

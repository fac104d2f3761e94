import Kernels
import ModelGraph
import Scheduling
import ModelSpec
import Tensors

extension Engine {
  /// Divides a layer's choices among the nodes that hold the experts, sends the others their rows, and computes this
  /// node's share, and the layer's shared expert, while they travel.
  func exchange(_ active: ActivePass, _ rows: RoutedRows) throws {
    expertCounts.add(rows)
    active.beginExchange()
    guard let outlet else { return }
    let scratch = exchangeScratch
    outlet.assign(layer: rows.layer, experts: rows.experts, count: rows.choiceCount, nodes: scratch.nodes)
    scratch.countChoices(rows)
    var unsent: [(part: Int, cause: any Error)] = []
    for node in 0..<scratch.nodeCount where node != scratch.ownNode && scratch.choicesOfNode[node] > 0 {
      let part = scratch.part(of: rows, for: node)
      let number = try active.addPart(part, to: node)
      scratch.partOfNode[node] = Int32(number)
      meter.enter(.wire)
      do {
        try outlet.send(part, for: active.key, part: number, to: node)
      } catch {
        unsent.append((number, error))
      }
    }
    let isRemote = active.partCount > 0
    if isRemote {
      exchanges &+= 1
      meter.exchanged(prefill: active.progress.phase == .prefill)
      if outlet.hasReplicas(rows.layer) { retain(rows, of: active) }
    }
    meter.enter(.experts)
    if scratch.choicesOfNode[scratch.ownNode] > 0 { try computeOwn(active, rows, all: !isRemote) }
    try forward.addSharedExpert(active.pass)
    // Only now, as it needs the scratch memory; a node that cannot be reached is as good as lost.
    for (number, cause) in unsent where isUnderWay(active) { lose(number, of: active, because: cause) }
  }

  private func computeOwn(_ active: ActivePass, _ rows: RoutedRows, all: Bool) throws {
    guard !all else { return try forward.computeExperts(rows, into: active.pass.accumulators) }
    // Own rows are a subset too; their sums go to a buffer in the subset's order, then to the rows they belong to.
    let part = exchangeScratch.part(of: rows, for: exchangeScratch.ownNode)
    let sums = requestSums.int64s
    let width = model.hiddenSize
    sums.update(repeating: 0, count: part.rowCount * width)
    try forward.computeExperts(part, into: sums)
    for row in 0..<part.rowCount {
      let target = active.pass.accumulators + part.sourceRow(row) * width
      for index in 0..<width { target[index] &+= sums[row * width + index] }
    }
  }

  // MARK: - Answers

  /// Adds a node's partial sums to the pass they belong to, or, when they answer a part that was sent again, to those of
  /// the part's other replacements. Answers nobody waits for are ignored.
  /// - Throws: `EngineError` when the answer does not fit the question.
  public func receive(
    _ partial: some PartialSums, for key: ExchangeKey, part number: Int, from node: Int
  ) throws(EngineError) {
    guard let active = awaiting(key), active.awaits(number, from: node) else { return }
    let rows = active.parts[number].rows
    guard partial.rowCount == rows.count else {
      throw EngineError(
        .protocolViolation,
        "node \(node) answered \(partial.rowCount) rows of layer \(key.layer); sent were \(rows.count)")
    }
    active.parts[number].isOpen = false
    guard active.parts[number].original == nil else {
      return addReplacement(number, of: active) { partial.add(row: $0, into: $1) }
    }
    for row in rows.indices {
      partial.add(row: row, into: active.pass.accumulators + Int(rows[row]) * model.hiddenSize)
    }
    active.finish(number)
    outlet?.answered(key, part: number, node: node, rows: rows.count)
  }

  /// The pass that waits for answers to an exchange.
  func awaiting(_ key: ExchangeKey) -> ActivePass? { passes.first { $0.pass.awaitsExperts && $0.key == key } }

  // MARK: - Peers' requests

  /// An empty request to be filled from a frame.
  /// - Parameter part: 0 to 255; the answer repeats it.
  /// - Throws: `EngineError` when the peer sent more rows than a pass may have.
  public func makeRequest(
    _ key: ExchangeKey, part: Int, from node: Int, rowCount: Int, choiceCount: Int
  ) throws(EngineError) -> ExpertRequest {
    guard (0..<ActivePass.partLimit).contains(part), (1...configuration.rowCapacity).contains(rowCount),
      configuration.spec.requiresExperts(key.layer),
      (1...rowCount * model.expertsPerToken).contains(choiceCount)
    else {
      throw EngineError(
        .protocolViolation, "node \(node) sent \(rowCount) rows with \(choiceCount) choices for layer \(key.layer)")
    }
    guard peerDecode.count + peerPrefill.count < Self.requestLimit else {
      throw EngineError(.capacity, "\(Self.requestLimit) requests for experts wait already")
    }
    let request = spareRequests.popLast() ?? ExpertRequest(model, rowCapacity: configuration.rowCapacity)
    request.begin(key, part: part, from: node, rowCount: rowCount)
    return request
  }

  /// Queues a filled request.
  public func enqueue(_ request: ExpertRequest) {
    if request.key.phase == .decode { peerDecode.append(request) } else { peerPrefill.append(request) }
  }

  /// Forgets what a node has asked for and not been answered yet: it is gone, or under another placement.
  public func dropRequests(of node: Int) {
    spareRequests += (peerDecode + peerPrefill).filter { $0.node == node }
    peerDecode.removeAll { $0.node == node }
    peerPrefill.removeAll { $0.node == node }
  }

  func serve(_ request: ExpertRequest) {
    defer { spareRequests.append(request) }
    meter.enter(.experts, prefill: request.key.phase == .prefill)
    do {
      let rows = request.rows
      guard request.has(forward.expertForms[request.key.layer.rawValue]) else {
        throw EngineError(.protocolViolation, "the rows for layer \(request.key.layer) came in another form")
      }
      try checkChoices(rows)
      for form in forward.expertForms[request.key.layer.rawValue] {
        for row in 0..<request.rowCount {
          let base = request.activations(form, row: row)
          guard forward.kernels.completeActivations(form, elements: model.hiddenSize, row: base) else {
            throw EngineError(.protocolViolation, "a row for layer \(request.key.layer) holds impossible activations")
          }
        }
      }
      requestSums.int64s.update(repeating: 0, count: request.rowCount * model.hiddenSize)
      try forward.computeExperts(rows, into: requestSums.int64s)
      meter.enter(.wire)
      try outlet?.answer(request, sums: UnsafePointer(requestSums.int64s))
    } catch {
      outlet?.refuse(request, because: error)
    }
  }
}

extension Engine {
  /// Most requests of peers that may wait; a host has one for each of its passes.
  static let requestLimit = 1024

  /// Every chosen expert must be here, and no row may choose one twice: the experts' buffers are made for one choice
  /// of an expert a row.
  private func checkChoices(_ rows: RoutedRows) throws(EngineError) {
    let lastRow = exchangeScratch.lastRowOfExpert
    lastRow.update(repeating: -1, count: model.expertCount)
    for row in 0..<rows.rowCount {
      for choice in Int(rows.firstChoice[row])..<Int(rows.firstChoice[row + 1]) {
        let expert = Int(rows.experts[choice])
        guard forward.shard.holds(.init(expert), of: rows.layer) else {
          throw EngineError(.protocolViolation, "expert \(expert) of layer \(rows.layer) is not on this node")
        }
        guard lastRow[expert] != Int32(row) else {
          throw EngineError(.protocolViolation, "a row for layer \(rows.layer) chose expert \(expert) twice")
        }
        lastRow[expert] = Int32(row)
      }
    }
  }
}

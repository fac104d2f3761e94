import Kernels
import ModelGraph
import Scheduling
import ModelSpec
import Tensors

extension Engine {
  /// Divides a layer's choices among the nodes that hold the experts, sends the others their rows, and computes this
  /// node's share while they travel.
  func exchange(_ active: ActivePass, _ rows: RoutedRows) throws {
    guard let outlet else { return }
    let scratch = exchangeScratch
    outlet.assign(layer: rows.layer, experts: rows.experts, count: rows.choiceCount, nodes: scratch.nodes)
    scratch.countChoices(rows)
    var isRemote = false
    for node in 0..<scratch.nodeCount where node != scratch.ownNode && scratch.choicesOfNode[node] > 0 {
      let part = scratch.part(of: rows, for: node)
      active.expect(from: node, part)
      try outlet.send(part, for: active.key, to: node)
      isRemote = true
    }
    if isRemote { exchanges &+= 1 }
    guard scratch.choicesOfNode[scratch.ownNode] > 0 else { return }
    try computeOwn(active, rows, all: !isRemote)
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

  /// Adds a node's partial sums to the pass they belong to. Answers nobody waits for are ignored.
  /// - Throws: `EngineError` when the answer does not fit the question.
  public func receive(_ partial: some PartialSums, for key: ExchangeKey, from node: Int) throws(EngineError) {
    guard let active = passes.first(where: { $0.pass.awaitsExperts && $0.key == key }),
      let index = active.awaited.firstIndex(where: { $0.node == node && $0.isOpen })
    else { return }
    let rows = active.awaited[index].rows
    guard partial.rowCount == rows.count else {
      throw EngineError(
        .protocolViolation,
        "node \(node) answered \(partial.rowCount) rows of layer \(key.layer); sent were \(rows.count)")
    }
    active.awaited[index].isOpen = false
    for row in rows.indices {
      partial.add(row: row, into: active.pass.accumulators + Int(rows[row]) * model.hiddenSize)
    }
  }

  /// A node cannot compute what it was sent.
  public func refused(_ key: ExchangeKey, by node: Int, because error: any Error) {
    guard passes.contains(where: { $0.key == key && $0.awaited.contains { $0.node == node && $0.isOpen } }) else {
      return
    }
    fail(key.step, because: error)
  }

  // MARK: - Peers' requests

  /// An empty request to be filled from a frame.
  /// - Throws: `EngineError` when the peer sent more rows than a pass may have.
  public func makeRequest(
    _ key: ExchangeKey, from node: Int, rowCount: Int, choiceCount: Int
  ) throws(EngineError) -> ExpertRequest {
    guard (1...configuration.rowCapacity).contains(rowCount),
      (1...rowCount * model.expertsPerToken).contains(choiceCount), configuration.spec.layers.contains(key.layer)
    else {
      throw EngineError(
        .protocolViolation, "node \(node) sent \(rowCount) rows with \(choiceCount) choices for layer \(key.layer)")
    }
    guard peerDecode.count + peerPrefill.count < Self.requestLimit else {
      throw EngineError(.capacity, "\(Self.requestLimit) requests for experts wait already")
    }
    let request = spareRequests.popLast() ?? ExpertRequest(model, rowCapacity: configuration.rowCapacity)
    request.begin(key, from: node, rowCount: rowCount)
    return request
  }

  /// Queues a filled request.
  public func enqueue(_ request: ExpertRequest) {
    if request.key.phase == .decode { peerDecode.append(request) } else { peerPrefill.append(request) }
  }

  func serve(_ request: ExpertRequest) {
    defer { spareRequests.append(request) }
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

extension ActivePass {
  /// Notes that a node was sent a part of the current exchange.
  func expect(from node: Int, _ part: RoutedRows) {
    let slot: Int
    if let known = awaited.firstIndex(where: { $0.node == node }) {
      slot = known
    } else {
      awaited.append(AwaitedNode(node: node, isOpen: false, rows: []))
      slot = awaited.count - 1
    }
    awaited[slot].isOpen = true
    awaited[slot].rows.removeAll(keepingCapacity: true)
    for row in 0..<part.rowCount { awaited[slot].rows.append(Int32(part.sourceRow(row))) }
  }
}

public import Tensors

extension Topology {
  /// The placement this topology asks for, of a model.
  ///
  /// Nodes stand in file order, stages in layer order, the holdings of a stage in node order. A holding of a stage
  /// whose layers have different numbers of experts means, for each layer, those of its experts that exist.
  /// - Throws: a layer in no stage or in two, an expert on no node, an expert or a layer that the model does not
  ///   have, a context beyond the model's; with the line that contradicts.
  public func place(
    _ facts: ModelFacts, epoch: PlacementEpoch = PlacementEpoch(rawValue: 1)
  ) throws(TopologyError) -> Placement {
    _ = try contextLength(for: facts)
    var indices: [NodeID: NodeIndex] = [:]
    for (index, node) in nodes.enumerated() { indices[node.name.value] = NodeIndex(index) }
    let order = try stagesInLayerOrder(facts)
    var placed: [StagePlacement] = []
    for index in order {
      let stage = stages[index]
      guard let host = indices[stage.host.value] else { preconditionFailure("host not among the decoded nodes") }
      placed.append(
        StagePlacement(
          layers: stage.layers.value, host: host,
          experts: try holdings(of: index, host: host, indices: indices, facts)))
    }
    return Placement(epoch: epoch, nodes: nodes.map(\.name.value), stages: placed)
  }

  /// Positions of the longest sequence: as written, else the smaller of the model's and 4096.
  /// - Throws: the written one is more than the model's.
  public func contextLength(for facts: ModelFacts) throws(TopologyError) -> Int {
    guard let context else { return min(facts.contextLength, Self.contextDefault) }
    guard context.value <= facts.contextLength else {
      throw error(
        .contradiction, at: context.position,
        "\"context\" is \(context.value), but the model was made for \(facts.contextLength) positions; lower it")
    }
    return context.value
  }

  // MARK: - Layers

  /// `stage 1 (layers 3-5)`
  func describe(stage index: Int) -> String {
    let layers = stages[index].layers.value
    return "stage \(index) (\(layers.count == 1 ? "layer" : "layers") \(layers.text))"
  }

  /// `stage 1 (layers 3-5, line 12)`
  private func describe(elsewhere index: Int) -> String {
    "\(describe(stage: index).dropLast()), line \(stages[index].layers.position.line))"
  }

  /// Indices into `stages`, sorted by layer, having checked that they cover each layer of the model once.
  private func stagesInLayerOrder(_ facts: ModelFacts) throws(TopologyError) -> [Int] {
    for (index, stage) in stages.enumerated() where stage.layers.value.upperBound.rawValue > facts.layerCount {
      throw error(
        .contradiction, at: stage.layers.position,
        "\(describe(stage: index)): the model has layers \(facts.layers.text) only")
    }
    let order = stages.indices.sorted {
      (stages[$0].layers.value.lowerBound, $0) < (stages[$1].layers.value.lowerBound, $1)
    }
    var next: LayerIndex = 0
    var previous: Int?
    for index in order {
      let layers = stages[index].layers
      if let previous, layers.value.lowerBound < next {
        let (first, second) = (min(previous, index), max(previous, index))
        throw error(
          .contradiction, at: stages[second].layers.position,
          "layer \(layers.value.lowerBound) is in \(describe(stage: second)) and in \(describe(elsewhere: first)); "
            + "every layer belongs to one stage")
      }
      if layers.value.lowerBound > next {
        let gap = next..<layers.value.lowerBound
        let before = previous.map { " and \(describe(elsewhere: $0)) before it" } ?? ""
        throw error(
          .contradiction, at: layers.position,
          "\(absence(gap)): \(describe(stage: index)) is the first behind the gap\(before); every layer needs a stage")
      }
      next = layers.value.upperBound
      previous = index
    }
    if next.rawValue < facts.layerCount, let previous {
      throw error(
        .contradiction, at: stages[previous].layers.position,
        "\(absence(next..<LayerIndex(facts.layerCount))): \(describe(stage: previous)) is the last; "
          + "every layer needs a stage")
    }
    return order
  }

  private func absence(_ gap: Range<LayerIndex>) -> String {
    gap.count == 1 ? "layer \(gap.text) is in no stage" : "layers \(gap.text) are in no stage"
  }

  // MARK: - Experts

  private func holdings(
    of index: Int, host: NodeIndex, indices: [NodeID: NodeIndex], _ facts: ModelFacts
  ) throws(TopologyError) -> [ExpertHolding] {
    let count = facts.expertCountMax(stages[index].layers.value)
    // Layers without experts are no special case: the shares of such a stage say nothing, which is warned of.
    guard count > 0 else { return [] }
    let all = ExpertSet(all: count)
    guard let shares = stages[index].experts else { return [ExpertHolding(node: host, experts: all)] }
    var holdings: [ExpertHolding] = []
    for share in shares.value {
      if let beyond = share.experts.value.subtracting(all).first {
        throw error(
          .contradiction, at: share.experts.position,
          "\(describe(stage: index)): \"\(share.node.value)\" is to hold expert \(beyond), "
            + "but there are only experts \(all)")
      }
      guard let node = indices[share.node.value] else { preconditionFailure("share of a node not decoded") }
      holdings.append(ExpertHolding(node: node, experts: share.experts.value))
    }
    let missing = all.subtracting(ExpertSet(ranges: holdings.flatMap(\.experts.ranges)))
    if !missing.isEmpty {
      let what = missing.count == 1 ? "expert \(missing) is" : "experts \(missing) are"
      let it = missing.count == 1 ? "it" : "them"
      throw error(
        .contradiction, at: shares.position,
        "\(describe(stage: index)): \(what) on no node; add \(it) to one node's set")
    }
    return holdings.sorted { $0.node < $1.node }
  }
}

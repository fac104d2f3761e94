import Tensors

extension Topology {
  /// What works but is hardly meant, in file order.
  /// - Parameter facts: the model's, if it is known.
  public func warnings(_ facts: ModelFacts? = nil) -> [TopologyWarning] {
    var found: [TopologyWarning] = []
    var holders = Set(stages.map(\.host.value))
    for stage in stages { holders.formUnion(stage.experts?.value.map(\.node.value) ?? []) }
    for node in nodes where !holders.contains(node.name.value) {
      found.append(warning(node.name.position, "node \"\(node.name.value)\" holds nothing; it is a spare"))
    }
    for node in nodes {
      if case .remote = node.address, let threads = node.threads {
        found.append(
          warning(
            threads.position,
            "node \"\(node.name.value)\" is not started from here: its threads are those its worker was started with"))
      }
    }
    for (index, stage) in stages.enumerated() {
      guard let facts, let experts = stage.experts, stage.layers.value.upperBound.rawValue <= facts.layerCount,
        facts.expertCountMax(stage.layers.value) == 0
      else { continue }
      found.append(warning(experts.position, "\(describe(stage: index)) has no routed experts; its shares are ignored"))
    }
    return found.sorted { $0.position < $1.position }
  }

  private func warning(_ position: SourcePosition, _ message: String) -> TopologyWarning {
    TopologyWarning(file: file, at: position, message)
  }
}

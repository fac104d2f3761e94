import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct RecoveryPlanTests {
  private func recover(
    _ model: SmallModel, _ desired: Placement, current: Placement? = nil, available: Set<NodeID>,
    apart: Set<NodePair> = [], limits: [NodeID: Int] = [:]
  ) -> RecoveryPlan.Outcome {
    RecoveryPlan.place(
      desired: desired, current: current, available: available, apart: apart, limits: limits, facts: model.facts,
      sizes: model.sizes, context: model.context, sequences: model.sequences, rows: model.rows)
  }

  private func placement(_ outcome: RecoveryPlan.Outcome) throws -> Placement {
    guard case .placement(let placement) = outcome else {
      Issue.record("\(outcome)")
      throw CancellationError()
    }
    return placement
  }

  /// Whether a placement can run, said anew: every two nodes that must talk are listed and looked up.
  private func canRun(_ placement: Placement, _ available: Set<NodeID>, _ apart: Set<NodePair>) -> Bool {
    var needed = Set<NodeID>()
    var pairs = Set<NodePair>()
    var before: NodeID?
    for stage in placement.stages {
      let host = placement.nodes[stage.host.rawValue]
      needed.insert(host)
      if let before { pairs.insert(NodePair(before, host)) }
      before = host
      for holding in stage.experts where !holding.experts.isEmpty {
        needed.insert(placement.nodes[holding.node.rawValue])
        pairs.insert(NodePair(host, placement.nodes[holding.node.rawValue]))
      }
    }
    return needed.isSubset(of: available) && pairs.isDisjoint(with: apart)
  }

  private func keeps(_ limits: [NodeID: Int], _ placement: Placement, _ model: SmallModel) -> Bool {
    placement.participants.allSatisfy { node in
      let name = placement.nodes[node.rawValue]
      return model.share(name, placement).totalBytes <= limits[name] ?? .max
    }
  }

  private let model = SmallModel(layers: 2, experts: [4])
  /// Two stages on a and b, whose experts are split between them and c; d is a spare.
  private var sample: Placement {
    let halves = [
      ExpertHolding(node: 0, experts: ExpertSet(ranges: [0..<2])),
      ExpertHolding(node: 2, experts: ExpertSet(ranges: [1..<4])),
    ]
    return Placement(
      epoch: PlacementEpoch(rawValue: 3), nodes: ["a", "b", "c", "d"],
      stages: [
        StagePlacement(layers: 0..<1, host: 0, experts: halves),
        StagePlacement(layers: 1..<2, host: 1, experts: halves),
      ])
  }

  @Test("what is desired, when it can run")
  func desired() {
    let sample = sample
    #expect(recover(model, sample, available: ["a", "b", "c"]) == .placement(sample))
    #expect(
      recover(model, sample, available: ["a", "b", "c", "d"], apart: [NodePair("a", "d")]) == .placement(sample))
    let other = Placement(single: "d", facts: model.facts)
    #expect(recover(model, sample, current: other, available: ["a", "b", "c", "d"]) == .placement(sample))
  }

  @Test("what runs goes on while what is desired cannot")
  func current() {
    let current = Placement(single: "d", facts: model.facts, epoch: PlacementEpoch(rawValue: 2))
    #expect(recover(model, sample, current: current, available: ["a", "b", "d"]) == .placement(current))
  }

  @Test("a lost replica is just lost, and other experts go to the node with most room")
  func experts() throws {
    let result = try placement(recover(model, sample, available: ["a", "b", "d"]))
    #expect(result.nodes == sample.nodes && result.epoch == sample.epoch && result.stages.map(\.host) == [0, 1])
    for stage in result.stages {
      #expect(stage.experts(of: 0).description == "0-1", "a keeps 0 and its replica of 1")
      #expect(stage.experts(of: 2).isEmpty && stage.experts(of: 3).contains(2), "d is the emptiest")
    }
  }

  @Test("experts go to the node that has them already")
  func currentHolder() throws {
    var current = sample.stages
    current[0] = StagePlacement(
      layers: 0..<1, host: 0,
      experts: current[0].experts + [ExpertHolding(node: 1, experts: ExpertSet(ranges: [2..<4]))])
    let before = Placement(epoch: sample.epoch, nodes: sample.nodes, stages: current)
    let result = try placement(recover(model, sample, current: before, available: ["a", "b", "d"]))
    #expect(result.stages[0].experts(of: 1).description == "2-3")
    #expect(result.stages[1].experts(of: 3).contains(2))
  }

  @Test("a stage goes to the node that hosted it, else to one with its experts, else to the emptiest")
  func hosts() throws {
    let sample = sample
    let first = try placement(recover(model, sample, available: ["a", "c", "d"]))
    #expect(first.stages[1].host == 0, "a and c hold experts of it, and a has more in all, but c less room")
    let was = try #require(
      Placement(single: "d", facts: model.facts).renumbered(nodes: ["x", "d"]))
    // d is not available in what ran before, but has hosted.
    let gone = Placement(
      epoch: was.epoch, nodes: was.nodes,
      stages: [StagePlacement(layers: 0..<2, host: 1, experts: [ExpertHolding(node: 0, experts: ExpertSet(all: 4))])])
    let second = try placement(recover(model, sample, current: gone, available: ["a", "c", "d"]))
    #expect(second.stages[1].host == 3)
    let alone = try placement(recover(model, sample, available: ["d"]))
    #expect(alone.hasSameShape(as: Placement(single: "d", facts: model.facts)))
  }

  @Test("without room there is a reason that names stage, bytes and who is missing")
  func impossible() {
    let limits: [NodeID: Int] = ["a": model.share("a", sample).totalBytes + 100, "c": 16_785_000, "d": 16_780_000]
    let outcome = recover(model, sample, available: ["a", "c", "d"], limits: limits)
    guard case .impossible(let reason) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(reason.hasPrefix("no node has room for stage 1 (layer 1): "), "\(reason)")
    #expect(reason.hasSuffix(" left; waiting for b"), "\(reason)")
    #expect(
      recover(model, sample, available: ["x"]) == .impossible(reason: "no node is available; waiting for a, b, c, d"))
  }

  @Test("replicas give way, and then experts move on, before a stage finds no host")
  func makingRoom() throws {
    let model = SmallModel(layers: 2, experts: [4], isTied: false)
    let sample = sample
    // c can be host of the last layer only when it gives up an expert or two.
    let trunk = MemoryTerms(
      facts: model.facts, sizes: model.sizes, context: model.context, sequences: model.sequences, rows: model.rows)
    let hostShare = trunk.trunkBytes[1] + trunk.keyValueBytes[1] + trunk.outputBytes + trunk.scratchBytes(.lastHost)
    let limits: [NodeID: Int] = [
      "a": model.share("a", sample).totalBytes + 4300, "c": hostShare + 4200, "d": trunk.scratchBytes(.experts),
    ]
    let result = try placement(recover(model, sample, available: ["a", "c", "d"], limits: limits))
    #expect(keeps(limits, result, model) && canRun(result, ["a", "c", "d"], []))
    #expect(result.stages[1].host == 2)
  }

  @Test("a stage that fits nowhere as a whole is spread over several hosts")
  func splitting() throws {
    let model = SmallModel(layers: 4, experts: [0])
    let desired = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["a", "b", "c"],
      stages: [StagePlacement(layers: 0..<4, host: 0, experts: [])])
    let whole = model.share("a", desired).totalBytes
    let limits: [NodeID: Int] = ["b": whole - 1, "c": whole - 1]
    let result = try placement(recover(model, desired, available: ["b", "c"], limits: limits))
    #expect(result.stages.count == 2 && keeps(limits, result, model))
  }

  @Test("a host and its experts that are apart: the experts move, else the stage, else one is left out")
  func apart() throws {
    let sample = sample
    let cut: Set<NodePair> = [NodePair("b", "c")]
    let moved = try placement(recover(model, sample, available: ["a", "b", "c", "d"], apart: cut))
    #expect(moved.stages.map(\.host) == [0, 1] && moved.stages[0] == sample.stages[0])
    #expect(moved.stages[1].experts(of: 2).isEmpty && canRun(moved, ["a", "b", "c", "d"], cut))
    // Nobody but c has room for experts: then the stage moves.
    var limits: [NodeID: Int] = [:]
    for name: NodeID in ["a", "b"] { limits[name] = model.share(name, sample).totalBytes }
    let rehosted = try placement(recover(model, sample, available: ["a", "b", "c"], apart: cut, limits: limits))
    #expect(rehosted.stages[1].host == 2 && keeps(limits, rehosted, model) && canRun(rehosted, ["a", "b", "c"], cut))
    // Neighbouring hosts.
    let hosts: Set<NodePair> = [NodePair("a", "b")]
    let joined = try placement(recover(model, sample, available: ["a", "b", "c", "d"], apart: hosts))
    #expect(canRun(joined, ["a", "b", "c", "d"], hosts) && joined.stages[0].host == 0)
  }

  @Test("nodes of which none reaches another: one does everything, or nothing can")
  func allApart() throws {
    let all: Set<NodeID> = ["a", "b", "c", "d"]
    var apart = Set<NodePair>()
    for one in all { for other in all where one != other { apart.insert(NodePair(one, other)) } }
    let result = try placement(recover(model, sample, available: all, apart: apart))
    #expect(result.participants.count == 1 && canRun(result, all, apart))
    let limits = Dictionary(uniqueKeysWithValues: all.map { ($0, model.share("a", sample).totalBytes) })
    let outcome = recover(model, sample, available: all, apart: apart, limits: limits)
    guard case .impossible(let reason) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(reason.contains("waiting for a link between a and b"), "\(reason)")
  }

  @Test("random losses, cuts and limits: the result can run and keeps the limits, and is what is desired if that can")
  func random() throws {
    var (changed, kept, refused, cutCount) = (0, 0, 0, 0)
    let names: [NodeID] = ["a", "b", "c", "d", "e"]
    for seed in 0..<600 {
      var random = SeededGenerator(seed: UInt64(seed))
      let model = SmallModel(layers: Int.random(in: 1...5, using: &random), experts: [5, 0, 3], isTied: seed % 2 == 0)
      let desired = model.placement(names, using: &random)
      let current = seed % 3 == 0 ? nil : model.placement(names.shuffled(using: &random) + ["z"], using: &random)
      let available = Set((names + ["z"]).filter { _ in Int.random(in: 0..<4, using: &random) > 0 })
      var apart = Set<NodePair>()
      for _ in 0..<Int.random(in: 0..<3, using: &random) {
        let pair = NodePair(names[Int.random(in: 0..<5, using: &random)], names[Int.random(in: 0..<5, using: &random)])
        if pair.lower != pair.higher { apart.insert(pair) }
      }
      var limits: [NodeID: Int] = [:]
      for name in names where Int.random(in: 0..<3, using: &random) > 0 {
        limits[name] = model.share(name, desired).totalBytes + Int.random(in: 0...12_000, using: &random)
      }
      let outcome = recover(model, desired, current: current, available: available, apart: apart, limits: limits)
      #expect(
        outcome == recover(model, desired, current: current, available: available, apart: apart, limits: limits))
      let isDesiredPossible = canRun(desired, available, apart)
      switch outcome {
      case .placement(let placement):
        #expect(placement.problem(for: model.facts) == nil && canRun(placement, available, apart))
        #expect(keeps(limits, placement, model))
        #expect(isDesiredPossible == (placement == desired))
        if placement == desired { kept += 1 } else { changed += 1 }
        if placement != desired, !apart.isEmpty { cutCount += 1 }
        if placement != desired, placement != current { #expect(placement.nodes == desired.nodes) }
      case .impossible(let reason):
        #expect(!isDesiredPossible && reason.contains("; "), "\(reason)")
        if let current { #expect(!canRun(current, available, apart) || !keeps(limits, current, model)) }
        refused += 1
      }
    }
    #expect(changed > 200 && kept > 50 && refused > 20 && cutCount > 50, "\(changed) \(kept) \(refused) \(cutCount)")
  }

  @Test("without limits and cuts there is always a way as long as a node is left")
  func alwaysPossible() throws {
    let names: [NodeID] = ["a", "b", "c", "d"]
    for seed in 0..<100 {
      var random = SeededGenerator(seed: UInt64(seed))
      let model = SmallModel(layers: 4, experts: [5, 0, 3])
      let desired = model.placement(names, using: &random)
      let left = names[Int.random(in: 0..<4, using: &random)]
      let result = try placement(recover(model, desired, available: [left]))
      #expect(result.hasSameShape(as: Placement(single: left, facts: model.facts), facts: model.facts))
    }
  }
}

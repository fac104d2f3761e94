import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct TransitionPlanTests {
  private func waves(
    _ model: SmallModel, _ from: Placement?, _ to: Placement, _ limits: [NodeID: Int]
  ) throws(TransitionError) -> [Placement] {
    try TransitionPlan.waves(
      from: from, to: to, facts: model.facts, sizes: model.sizes, limits: limits, context: model.context,
      sequences: model.sequences, rows: model.rows)
  }

  /// Every step keeps the limits and leaves no piece without a holder; pieces only go where they are to be.
  private func check(
    _ waves: [Placement], _ model: SmallModel, _ from: Placement, _ to: Placement, _ limits: [NodeID: Int]
  ) {
    #expect(waves.last == to)
    var before = from
    for wave in waves {
      #expect(wave.problem(for: model.facts) == nil && wave.epoch == to.epoch)
      for (name, limit) in limits {
        let bytes = model.transitionBytes(name, before, wave)
        #expect(bytes <= max(limit, model.share(name, before).totalBytes), "\(name)")
      }
      for name in Set(from.nodes + to.nodes) {
        let new = wave.pieces(of: name, facts: model.facts).subtracting(before.pieces(of: name, facts: model.facts))
        // The embedding of a tied output follows the last layer, wherever that is.
        #expect(new.isSubset(of: to.pieces(of: name, facts: model.facts)), "\(name)")
      }
      before = wave
    }
    let list = to.nodes + from.nodes.filter { !to.nodes.contains($0) }
    for wave in waves.dropLast() { #expect(wave.nodes == list) }
  }

  /// Most of what the node holds in either placement, plus some room.
  private func limits(
    _ model: SmallModel, _ from: Placement, _ to: Placement, room: Int
  ) -> [NodeID: Int] {
    var limits: [NodeID: Int] = [:]
    for name in Set(from.nodes + to.nodes) {
      limits[name] = max(model.share(name, from).totalBytes, model.share(name, to).totalBytes) + room
    }
    return limits
  }

  @Test("without limits there is one wave", arguments: 0..<50)
  func unlimited(_ seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let model = SmallModel(layers: 4, experts: [0, 6, 4])
    let from = model.placement(["a", "b", "c"], using: &random)
    let to = model.placement(["c", "d", "a"], using: &random)
    #expect(try waves(model, from, to, [:]) == [to])
    #expect(try waves(model, nil, to, [:]) == [to])
  }

  @Test("random changes under tight limits: each step keeps them, or the change is refused with node and bytes")
  func tight() throws {
    var (made, several, refused) = (0, 0, 0)
    for seed in 0..<400 {
      var random = SeededGenerator(seed: UInt64(seed))
      let model = SmallModel(layers: Int.random(in: 1...4, using: &random), experts: [6, 0, 3], isTied: seed % 2 == 0)
      let from = model.placement(["a", "b", "c", "d"], using: &random)
      let to = model.placement(["d", "b", "e", "a"], using: &random)
      let limits = limits(model, from, to, room: Int.random(in: 0...1000, using: &random))
      do {
        let waves = try waves(model, from, to, limits)
        check(waves, model, from, to, limits)
        made += 1
        if waves.count > 1 {
          several += 1
          // Several only when one does not do.
          #expect(limits.contains { model.transitionBytes($0.key, from, to) > $0.value })
        }
      } catch {
        refused += 1
        let limit = try #require(limits[error.node])
        #expect(error.missingBytes > 0 && model.transitionBytes(error.node, from, to) > limit)
        #expect("\(error)".contains(error.node.rawValue))
      }
    }
    #expect(made > 100 && several > 50 && refused > 10, "\(made) \(several) \(refused)")
  }

  private let model = SmallModel(layers: 1, experts: [8])
  private var swap: (from: Placement, to: Placement) {
    (oneStage(["a", "b", "c"], host: 2, ["0-3", "4-7"]), oneStage(["a", "b", "c"], host: 2, ["4-7", "0-3"]))
  }

  @Test("a swap between two full nodes is refused, naming one and what it lacks")
  func fullSwap() throws {
    let (from, to) = swap
    // Expert 4 takes 1004 bytes, and the experts 4-7 together 16 more than the experts 0-3.
    let error = try #require(throws: TransitionError.self) {
      try waves(model, from, to, limits(model, from, to, room: 0))
    }
    #expect(error.node == "a" && error.missingBytes == 1004 - 16, "\(error)")
    #expect(
      error.description.hasPrefix(
        "no order of waves fits: node \"a\" lacks 988 B to take expert 4 of layer 0 from \"b\""))
  }

  @Test("a swap with room for one expert goes in waves")
  func swapWithRoom() throws {
    let (from, to) = swap
    let limits = limits(model, from, to, room: 1010)
    let waves = try waves(model, from, to, limits)
    check(waves, model, from, to, limits)
    #expect(waves.count == 4, "each wave swaps one pair")
  }

  @Test("room for one expert on one of the two is enough, but takes more waves")
  func swapWithRoomOnOne() throws {
    let (from, to) = swap
    var limits = limits(model, from, to, room: 20)
    limits["a", default: 0] += 1000
    let waves = try waves(model, from, to, limits)
    check(waves, model, from, to, limits)
    #expect(waves.count > 4)
  }

  @Test("layers go one after the other to a host without room for both")
  func hosts() throws {
    let model = SmallModel(layers: 4, experts: [2])
    let from = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["a", "b"],
      stages: [
        StagePlacement(layers: 0..<2, host: 0, experts: [ExpertHolding(node: 0, experts: ExpertSet(all: 2))]),
        StagePlacement(layers: 2..<4, host: 1, experts: [ExpertHolding(node: 1, experts: ExpertSet(all: 2))]),
      ])
    let to = Placement(
      epoch: PlacementEpoch(rawValue: 2), nodes: ["a", "b"],
      stages: [
        StagePlacement(layers: 0..<2, host: 1, experts: [ExpertHolding(node: 0, experts: ExpertSet(all: 2))]),
        StagePlacement(layers: 2..<4, host: 0, experts: [ExpertHolding(node: 1, experts: ExpertSet(all: 2))]),
      ])
    // Room for one trunk with its cache (about 1500 + 128 * 10 bytes), not for two.
    let limits = limits(model, from, to, room: 3000)
    let waves = try waves(model, from, to, limits)
    #expect(waves.count > 1)
    check(waves, model, from, to, limits)
    #expect(waves[0].stages.count > 2, "a layer moved alone")
  }

  @Test("replicas are made last, when the room is not needed for what frees memory")
  func replicas() throws {
    // a has room for one expert more; a replica of 4 would fill it, and 0 and 5 could never change places.
    let from = oneStage(["a", "b", "c", "d"], host: 3, ["0-3", "5-7", "4", ""])
    let to = oneStage(["a", "b", "c", "d"], host: 3, ["1-5", "0,6-7", "4", ""])
    let limits = limits(model, from, to, room: 2)
    let waves = try waves(model, from, to, limits)
    check(waves, model, from, to, limits)
    #expect(waves.count > 1)
  }

  @Test("a limit below what is held already allows to give up, not to take")
  func loweredLimit() throws {
    let from = oneStage(["a", "b"], host: 1, ["0-7", ""])
    let to = oneStage(["a", "b"], host: 1, ["0-3", "4-7"])
    let limit = model.share("a", to).totalBytes
    #expect(try waves(model, from, to, ["a": limit]) == [to])
    let error = try #require(throws: TransitionError.self) { try waves(model, from, to, ["a": limit - 5]) }
    #expect(error.node == "a" && error.missingBytes == 5)
  }

  @Test("from nothing, only the goal has to fit")
  func fromNothing() throws {
    let to = oneStage(["a", "b"], host: 1, ["0-3", "4-7"])
    let limit = model.share("a", to).totalBytes
    #expect(try waves(model, nil, to, ["a": limit]) == [to])
    #expect(throws: TransitionError.self) { try waves(model, nil, to, ["a": limit - 1]) }
  }

  @Test("a model of the largest kind is planned in waves")
  func large() throws {
    let model = SmallModel(layers: 20, experts: [128])
    let nodes: [NodeID] = (0..<12).map { NodeID("n\($0)") }
    var random = SeededGenerator(seed: 5)
    let from = model.placement(nodes, using: &random, replicas: 0)
    let to = model.placement(nodes, using: &random, replicas: 0)
    let limits = limits(model, from, to, room: 40_000)
    check(try waves(model, from, to, limits), model, from, to, limits)
  }
}

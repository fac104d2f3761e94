import Engine
import GGUF
import Kernels
import ModelGraph
import ModelSpec
import Scheduling
import Tensors

/// Several engines in one process, joined by direct calls, driven inline in a seeded order.
final class EngineCluster {
  /// Who holds what: for each stage its layers, its host and the holders of each expert.
  struct Plan: CustomStringConvertible {
    struct Stage {
      let layers: Range<Int>
      let host: Int
      /// For each expert the nodes that hold it.
      let holders: [[Int]]
    }

    /// The host of a layer.
    func host(of layer: Int) -> Int { stages.first { $0.layers.contains(layer) }?.host ?? 0 }

    let nodeCount: Int
    let stages: [Stage]

    var description: String {
      stages.map { "\($0.layers)@\($0.host):\($0.holders)" }.joined(separator: " ")
    }
  }

  private(set) var plan: Plan
  private(set) var nodes: [Node] = []
  private(set) var results: [StepID: [StepResult]] = [:]
  private(set) var failure: (any Error)?
  private var random: SplitMix
  private let arena = WeightArena()
  private var nextStep: UInt64 = 1
  private let makeEngine: (Plan, Int, Engine?) -> Engine

  init(
    _ spec: ModelSpec, _ file: GGUFFile, _ plan: Plan, kernels: [Kernels], threads: Int, rowCapacity: Int, seed: UInt64,
    combine: CombineMode = .exact, kv: KVType = .f16
  ) throws {
    self.plan = plan
    random = SplitMix(state: seed)
    let arena = arena
    let shards = try kernels.map { try LocalModel.load(spec, file, into: arena, for: $0) }
    makeEngine = { plan, index, old in
      let hosted = plan.stages.indices.filter { plan.stages[$0].host == index }.map { stage in
        let layers = plan.stages[stage].layers
        return EngineConfiguration.HostedStage(
          index: stage, layers: LayerIndex(layers.lowerBound)..<LayerIndex(layers.upperBound),
          isLast: stage == plan.stages.count - 1)
      }
      let configuration = EngineConfiguration(
        spec: spec, stages: hosted, kvType: kv, combine: combine, context: 256, sequences: 8, rowCapacity: rowCapacity
      )
      return Engine(
        configuration, shard: shards[index % shards.count], kernels: kernels[index % kernels.count],
        team: ThreadTeam(threads: threads),
        nodeCount: plan.nodeCount, ownNode: index, inheriting: old)
    }
    nodes = (0..<plan.nodeCount).map { Node(index: $0, engine: makeEngine(plan, $0, nil), cluster: self) }
  }

  /// Switches to another placement: new engines inherit from the old ones, and layers that change their host are
  /// handed over.
  /// - Returns: bytes that were handed over.
  @discardableResult
  func move(to next: Plan) throws -> Int {
    let (before, old) = (plan, nodes)
    plan = next
    nodes = (0..<next.nodeCount).map { index in
      Node(
        index: index, engine: makeEngine(next, index, index < old.count ? old[index].engine : nil), cluster: self)
    }
    var bytes = 0
    let end = next.stages.last?.layers.upperBound ?? 0
    for layer in 0..<end where before.host(of: layer) != next.host(of: layer) {
      let source = old[before.host(of: layer)].engine
      let target = nodes[next.host(of: layer)].engine
      let layers = LayerIndex(layer)..<LayerIndex(layer + 1)
      var moved = 0
      try source.exportBlocks(layers: layers) { slab in
        moved += slab.bytes.count
        try target.importBlock(sequence: slab.sequence, layer: slab.layer, block: slab.block, bytes: slab.bytes)
      }
      guard moved == source.exportByteCount(layers: layers) else {
        throw EngineError(.protocolViolation, "another number of bytes was announced")
      }
      bytes += moved
    }
    return bytes
  }

  /// Runs steps side by side, one piece of work at a time on a node drawn from the seed.
  func run(_ steps: [(StepPhase, [StepEntry])], released: [SequenceID] = []) throws -> [[StepResult]] {
    let ids = steps.map { phase, entries in
      defer { nextStep += 1 }
      let id = StepID(rawValue: nextStep)
      nodes[plan.stages[0].host].engine.begin(
        StepBatch(id: id, phase: phase, entries: entries, released: released))
      return id
    }
    var idle = 0
    while idle < 64 * nodes.count, failure == nil, !ids.allSatisfy({ results[$0] != nil }) {
      idle = nodes[random.next(below: nodes.count)].engine.runOne() ? 0 : idle + 1
    }
    if let failure { throw failure }
    return ids.map { results[$0] ?? [] }
  }

  final class Node: EngineOutlet {
    let index: Int
    let engine: Engine
    private unowned let cluster: EngineCluster
    private var turn = 0

    init(index: Int, engine: Engine, cluster: EngineCluster) {
      self.index = index
      self.engine = engine
      self.cluster = cluster
      engine.outlet = self
    }

    func assign(layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>) {
      guard let stage = cluster.plan.stages.first(where: { $0.layers.contains(layer.rawValue) }) else { return }
      for choice in 0..<count {
        let holders = stage.holders[Int(experts[choice])]
        turn += 1
        nodes[choice] = Int32(holders[turn % holders.count])
      }
    }

    func assign(
      layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>, except node: Int
    ) -> Bool { false }
    func hasReplicas(_ layer: LayerIndex) -> Bool { true }
    func answered(_ key: ExchangeKey, part: Int, node: Int, rows: Int) {}

    func send(_ rows: RoutedRows, for key: ExchangeKey, part: Int, to node: Int) throws {
      let target = cluster.nodes[node].engine
      let request = try target.makeRequest(
        key, part: part, from: index, rowCount: rows.rowCount, choiceCount: rows.choiceCount)
      request.exponents.update(from: rows.exponents, count: rows.rowCount)
      request.firstChoice.update(from: rows.firstChoice, count: rows.rowCount + 1)
      request.experts.update(from: rows.experts, count: rows.choiceCount)
      request.weights.update(from: rows.weights, count: rows.choiceCount)
      let hidden = target.configuration.spec.hyperparameters.hiddenSize
      for form in ActivationForm.allCases {
        guard let base = rows.activations[form] else { continue }
        for row in 0..<rows.rowCount {
          // As on the wire: the sums do not travel.
          request.activations(form, row: row).copyMemory(
            from: base + rows.sourceRow(row) * form.rowStride(elements: hidden),
            byteCount: form.wireBytes(elements: hidden))
        }
      }
      target.enqueue(request)
    }

    func answer(_ request: ExpertRequest, sums: UnsafePointer<Int64>) throws {
      let width = engine.configuration.spec.hyperparameters.hiddenSize
      let copy = Sums(
        rowCount: request.rowCount, width: width,
        values: Array(UnsafeBufferPointer(start: sums, count: request.rowCount * width)))
      try cluster.nodes[request.node].engine.receive(copy, for: request.key, part: request.part, from: index)
    }

    func refuse(_ request: ExpertRequest, because error: any Error) {
      cluster.nodes[request.node].engine.refused(request.key, part: request.part, by: index, because: error)
    }

    func handOver(_ pass: PassHandOver, toStage stage: Int) {
      cluster.nodes[cluster.plan.stages[stage].host].engine.resume(pass, stage: stage)
    }

    func finished(_ step: StepID, results: [StepResult]) { cluster.results[step] = results }
    func failed(_ step: StepID, because error: any Error) { cluster.failure = error }
    func interrupted(_ step: StepID, because error: any Error) { cluster.failure = error }
  }

  struct Sums: PartialSums {
    let rowCount: Int
    let width: Int
    let values: [Int64]
    func add(row: Int, into sums: UnsafeMutablePointer<Int64>) {
      for index in 0..<width { sums[index] &+= values[row * width + index] }
    }
  }
}

/// SplitMix64: a small seeded generator.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

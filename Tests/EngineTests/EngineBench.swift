import Engine
import GGUF
import Kernels
import ModelGraph
import ModelSpec
import Scheduling
import Tensors

/// One engine whose messages are kept, for tests that answer them as they like.
final class EngineBench: EngineOutlet {
  /// A frame to an expert node.
  struct Sent {
    let key: ExchangeKey
    let part: Int
    let node: Int
    let rowCount: Int
    var exponents: [Int32]
    var firstChoice: [Int32]
    var experts: [Int32]
    var weights: [Float]
    /// By form the rows, as they travel.
    var rows: [ActivationForm: [[UInt8]]]
  }

  /// A copy of a pass on its way to the next stage.
  struct HandedOver {
    let pass: PassHandOver
    let rows: [Float]
    let stage: Int
  }

  let spec: ModelSpec
  let engine: Engine
  /// Number of the node that gets an expert's rows.
  var owner: (Int) -> Int = { _ in 0 }
  /// The number of the node that gets an expert's rows when they are sent again; nil: there are no replicas.
  var replica: ((_ expert: Int, _ except: Int) -> Int?)?
  /// Nodes that nothing can be sent to.
  var unreachable: Set<Int> = []
  /// What happens with a hand-over; by default it is kept.
  var onHandOver: ((PassHandOver, Int) -> Void)?
  private(set) var sent: [Sent] = []
  private(set) var answers: [(key: ExchangeKey, part: Int, sums: EngineCluster.Sums)] = []
  private(set) var refusals: [(key: ExchangeKey, node: Int, sentence: String)] = []
  private(set) var handedOver: [HandedOver] = []
  private(set) var results: [StepID: [StepResult]] = [:]
  private(set) var failures: [(step: StepID, error: any Error)] = []
  private(set) var interruptions: [(step: StepID, error: any Error)] = []
  /// Answers of parts' own nodes that were taken, as part@node:rows.
  private(set) var taken: [String] = []
  /// What was worked on, in order: rows of own passes, and answers.
  private(set) var log: [String] = []
  private let arena = WeightArena()

  /// - Parameters:
  ///   - experts: those that this node holds.
  ///   - stages: index and layers of those that it hosts; the one that ends with the model's layers is the last.
  init(
    _ path: String, experts: Range<Int>? = nil, stages: [(index: Int, layers: Range<Int>)]? = nil, node: Int = 0,
    rowCapacity: Int = 16, context: Int = 128, sequences: Int = 8, meter: WorkMeter = WorkMeter(),
    inheriting old: Engine? = nil
  ) throws {
    let file = try GGUFFile.open(path)
    spec = try ModelSpec(file: file)
    let layerCount = spec.hyperparameters.layerCount
    let kernels = try Kernels.select()
    let shard = try LocalModel.load(spec, file, into: arena, for: kernels)
    for layer in spec.layers {
      for expert in 0..<spec.hyperparameters.expertCount where experts?.contains(expert) == false {
        _ = shard.remove(.expert(layer, ExpertIndex(expert)))
      }
    }
    let hosted = (stages ?? [(0, 0..<layerCount)]).map { stage in
      EngineConfiguration.HostedStage(
        index: stage.index, layers: LayerIndex(stage.layers.lowerBound)..<LayerIndex(stage.layers.upperBound),
        isLast: stage.layers.upperBound == layerCount)
    }
    let configuration = EngineConfiguration(
      spec: spec, stages: hosted, kvType: .f16, combine: .exact, context: context, sequences: sequences,
      rowCapacity: rowCapacity)
    engine = Engine(
      configuration, shard: shard, kernels: kernels, team: ThreadTeam(threads: 1), nodeCount: 6,
      ownNode: node, meter: meter, inheriting: old)
    engine.outlet = self
  }

  /// Begins a step.
  func begin(
    _ id: UInt64, _ phase: StepPhase = .prefill, _ entries: [StepEntry], released: [SequenceID] = [],
    follows before: UInt64? = nil
  ) {
    engine.begin(
      StepBatch(
        id: StepID(rawValue: id), phase: phase, entries: entries, released: released,
        follows: before.map(StepID.init(rawValue:))))
  }

  /// Works until nothing is ready.
  func drain() { while engine.runOne() {} }

  /// The logits that a step gave.
  func logits(_ step: UInt64) -> [UInt32]? {
    guard case .logits(_, let values)? = results[StepID(rawValue: step)]?.first?.outcome else { return nil }
    return values.map(\.bitPattern)
  }

  /// Queues what another bench sent, as its frame would be.
  func request(_ sent: Sent, from node: Int = 0) throws {
    let request = try engine.makeRequest(
      sent.key, part: sent.part, from: node, rowCount: sent.rowCount, choiceCount: sent.experts.count)
    request.exponents.update(from: sent.exponents, count: sent.rowCount)
    request.firstChoice.update(from: sent.firstChoice, count: sent.rowCount + 1)
    request.experts.update(from: sent.experts, count: sent.experts.count)
    request.weights.update(from: sent.weights, count: sent.weights.count)
    for (form, rows) in sent.rows {
      for (index, row) in rows.enumerated() {
        request.activations(form, row: index).copyMemory(from: row, byteCount: row.count)
      }
    }
    engine.enqueue(request)
  }

  /// What this bench's experts make of rows that another one sent.
  func sums(for sent: Sent) throws -> EngineCluster.Sums? {
    let before = answers.count
    try request(sent)
    drain()
    return answers.count > before ? answers[before].sums : nil
  }

  // MARK: - EngineOutlet

  func assign(layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>) {
    log.append("own \(count / spec.hyperparameters.expertsPerToken) rows, layer \(layer)")
    for choice in 0..<count { nodes[choice] = Int32(owner(Int(experts[choice]))) }
  }

  func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>, except node: Int
  ) -> Bool {
    for choice in 0..<count {
      guard let holder = replica?(Int(experts[choice]), node) else { return false }
      nodes[choice] = Int32(holder)
    }
    return true
  }

  func hasReplicas(_ layer: LayerIndex) -> Bool { replica != nil }

  func answered(_ key: ExchangeKey, part: Int, node: Int, rows: Int) { taken.append("\(part)@\(node):\(rows)") }

  func send(_ rows: RoutedRows, for key: ExchangeKey, part: Int, to node: Int) throws {
    if unreachable.contains(node) { throw Unreachable(node: node) }
    var copies: [ActivationForm: [[UInt8]]] = [:]
    let width = spec.hyperparameters.hiddenSize
    for form in ActivationForm.allCases {
      guard let base = rows.activations[form] else { continue }
      copies[form] = (0..<rows.rowCount).map { row in
        Array(
          UnsafeRawBufferPointer(
            start: base + rows.sourceRow(row) * form.rowStride(elements: width), count: form.wireBytes(elements: width))
        )
      }
    }
    sent.append(
      Sent(
        key: key, part: part, node: node, rowCount: rows.rowCount,
        exponents: Array(UnsafeBufferPointer(start: rows.exponents, count: rows.rowCount)),
        firstChoice: Array(UnsafeBufferPointer(start: rows.firstChoice, count: rows.rowCount + 1)),
        experts: Array(UnsafeBufferPointer(start: rows.experts, count: rows.choiceCount)),
        weights: Array(UnsafeBufferPointer(start: rows.weights, count: rows.choiceCount)), rows: copies))
  }

  func answer(_ request: ExpertRequest, sums: UnsafePointer<Int64>) throws {
    log.append("peers' \(request.rowCount) rows")
    let width = spec.hyperparameters.hiddenSize
    let values = Array(UnsafeBufferPointer(start: sums, count: request.rowCount * width))
    answers.append(
      (request.key, request.part, EngineCluster.Sums(rowCount: request.rowCount, width: width, values: values)))
  }

  func refuse(_ request: ExpertRequest, because error: any Error) {
    refusals.append((request.key, request.node, "\(error)"))
  }

  func handOver(_ pass: PassHandOver, toStage stage: Int) throws {
    if unreachable.contains(-1) { throw Unreachable(node: -1) }
    if let onHandOver { return onHandOver(pass, stage) }
    let rows = Array(
      UnsafeBufferPointer(start: pass.rows, count: pass.rowCount * spec.hyperparameters.hiddenSize))
    handedOver.append(HandedOver(pass: pass, rows: rows, stage: stage))
  }

  func finished(_ step: StepID, results: [StepResult]) { self.results[step] = results }
  func failed(_ step: StepID, because error: any Error) { failures.append((step, error)) }
  func interrupted(_ step: StepID, because error: any Error) { interruptions.append((step, error)) }

  /// What `send` throws for an unreachable node; -1 for the next host.
  struct Unreachable: Error, Equatable { let node: Int }
}

extension EngineBench.HandedOver {
  /// Gives the pass to another engine.
  func resume(on engine: Engine) {
    rows.withUnsafeBufferPointer { rows in
      guard let base = rows.baseAddress else { return }
      engine.resume(
        PassHandOver(
          step: pass.step, phase: pass.phase, pass: pass.pass, passCount: pass.passCount, entries: pass.entries,
          released: pass.released, rows: base, rowCount: pass.rowCount), stage: stage)
    }
  }
}

/// A prompt's entry.
func entry(
  _ sequence: UInt64, _ tokens: [TokenID], at position: Int = 0, wanted: Wanted = .logits(rows: 1),
  opening: SequenceOpening? = nil
) -> StepEntry {
  StepEntry(
    sequence: SequenceID(rawValue: sequence), position: position, rowCount: tokens.count, tokens: tokens,
    wanted: wanted, opening: opening)
}

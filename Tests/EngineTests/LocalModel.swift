import Engine
import GGUF
import Kernels
import ModelGraph
import ModelSpec
import Scheduling
import Tensors

/// A whole model on one engine, driven inline: every expert is this node's.
final class LocalModel: EngineOutlet {
  let spec: ModelSpec
  let engine: Engine
  private let arena = WeightArena()
  private(set) var results: [StepResult] = []
  private(set) var failure: (any Error)?
  private var nextStep: UInt64 = 1

  init(
    _ path: String, kernels: Kernels, threads: Int = 1, kv: KVType = .f16, combine: CombineMode = .exact,
    rowCapacity: Int = 64, context: Int = 512, sequences: Int = 8
  ) throws {
    let file = try GGUFFile.open(path)
    spec = try ModelSpec(file: file)
    let shard = try Self.load(spec, file, into: arena, for: kernels)
    let stage = EngineConfiguration.HostedStage(index: 0, layers: spec.layers, isLast: true)
    let configuration = EngineConfiguration(
      spec: spec, stages: [stage], kvType: kv, combine: combine, context: context, sequences: sequences,
      rowCapacity: rowCapacity)
    engine = Engine(
      configuration, shard: shard, kernels: kernels, team: ThreadTeam(threads: threads), nodeCount: 1, ownNode: 0)
    engine.outlet = self
  }

  /// Reads every piece of a model file into memory.
  static func load(_ spec: ModelSpec, _ file: GGUFFile, into arena: WeightArena, for kernels: Kernels) throws -> Shard {
    let shard = Shard(spec: spec)
    let reader = try GGUFDataReader(paths: file.headers.map(\.path))
    for piece in spec.pieces {
      guard let layout = spec.layout(of: piece) else { continue }
      let slot = try arena.allocate(byteCount: layout.memoryBytes)
      for (part, offset) in zip(layout.parts, layout.memoryOffsets) {
        try reader.read(
          part.range, into: UnsafeMutableRawBufferPointer(start: slot.base + offset, count: part.byteCount))
      }
      shard.insert(LoadedPiece(layout: layout, slot: slot, for: kernels))
    }
    return shard
  }

  /// Runs one step to its end.
  func run(_ entries: [StepEntry], phase: StepPhase, released: [SequenceID] = []) throws -> [StepResult] {
    results = []
    failure = nil
    engine.begin(StepBatch(id: StepID(rawValue: nextStep), phase: phase, entries: entries, released: released))
    nextStep += 1
    while engine.runOne() {}
    if let failure { throw failure }
    return results
  }

  /// Logits of the last `rows` positions of a prompt, prefilled in chunks.
  func logits(_ tokens: [TokenID], last rows: Int, chunk: Int = 512, sequence: UInt64 = 1) throws -> [Float] {
    let id = SequenceID(rawValue: sequence)
    var values: [Float] = []
    var start = 0
    while start < tokens.count {
      let end = min(tokens.count, start + chunk)
      let wantedHere = max(0, min(end - start, rows - (tokens.count - end)))
      let entry = StepEntry(
        sequence: id, position: start, rowCount: end - start, tokens: Array(tokens[start..<end]),
        wanted: wantedHere > 0 ? .logits(rows: wantedHere) : .nothing)
      for result in try run([entry], phase: .prefill) {
        if case .logits(_, let more) = result.outcome { values += more }
      }
      start = end
    }
    _ = try run([], phase: .decode, released: [id])
    return values
  }

  /// Prefills and decodes `count` tokens.
  func generate(_ tokens: [TokenID], count: Int, sampling: SamplingParameters, sequence: UInt64 = 1) throws -> [TokenID]
  {
    let id = SequenceID(rawValue: sequence)
    let opening = SequenceOpening(sampling: sampling, history: Array(tokens.suffix(sampling.penaltyWindow)))
    var entry = StepEntry(
      sequence: id, position: 0, rowCount: tokens.count, tokens: tokens, wanted: .token, opening: opening)
    var output: [TokenID] = []
    while output.count < count {
      let results = try run([entry], phase: output.isEmpty ? .prefill : .decode)
      guard case .token(let token, _)? = results.first?.outcome else { break }
      output.append(token)
      entry = StepEntry(
        sequence: id, position: tokens.count + output.count - 1, rowCount: 1, tokens: [token], wanted: .token)
    }
    _ = try run([], phase: .decode, released: [id])
    return output
  }

  func assign(layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>) {
    nodes.update(repeating: 0, count: count)
  }
  func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>, except node: Int
  ) -> Bool { false }
  func hasReplicas(_ layer: LayerIndex) -> Bool { false }
  func send(_ rows: RoutedRows, for key: ExchangeKey, part: Int, to node: Int) {}
  func answered(_ key: ExchangeKey, part: Int, node: Int, rows: Int) {}
  func answer(_ request: ExpertRequest, sums: UnsafePointer<Int64>) {}
  func refuse(_ request: ExpertRequest, because error: any Error) {}
  func handOver(_ pass: PassHandOver, toStage stage: Int) {}
  func finished(_ step: StepID, results: [StepResult]) { self.results = results }
  func failed(_ step: StepID, because error: any Error) { failure = error }
  func interrupted(_ step: StepID, because error: any Error) { failure = error }
}

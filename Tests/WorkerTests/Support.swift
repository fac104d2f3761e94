import Engine
import Foundation
import GGUF
import Kernels
import ModelGraph
import ModelSpec
import Scheduling
import ShardStore
import Synchronization
import Tensors

@testable import Worker

/// The model on an engine of its own, without a worker around it.
final class DirectEngine: EngineOutlet {
  private let engine: Engine
  private let arena = WeightArena()
  private var results: [StepResult] = []

  init(_ bench: WorkerBench) throws {
    let spec = bench.spec
    let shard = Shard(spec: spec)
    let kernels = try Kernels.select()
    let loader = PieceLoader(sources: [bench.source], store: nil)
    for entry in bench.manifest.entries {
      guard let layout = spec.layout(of: entry.id) else { continue }
      let slot = try arena.allocate(byteCount: layout.memoryBytes)
      _ = try loader.load(
        layout: layout, entry: entry,
        into: UnsafeMutableRawBufferPointer(start: slot.base, count: layout.memoryBytes))
      shard.insert(LoadedPiece(layout: layout, slot: slot, for: kernels))
    }
    engine = Engine(
      EngineConfiguration(
        spec: spec, stages: [.init(index: 0, layers: spec.layers, isLast: true)], kvType: .f16, combine: .exact,
        context: 256, sequences: 4, rowCapacity: 64),
      shard: shard, kernels: kernels, team: ThreadTeam(threads: 1), nodeCount: 1, ownNode: 0)
    engine.outlet = self
  }

  /// Bits of the logits of a prompt's last two positions.
  func logits(_ tokens: [TokenID]) -> [UInt32]? {
    let entry = StepEntry(
      sequence: SequenceID(rawValue: 1), position: 0, rowCount: tokens.count, tokens: tokens,
      wanted: .logits(rows: 2))
    engine.begin(StepBatch(id: StepID(rawValue: 1), phase: .prefill, entries: [entry]))
    while engine.runOne() {}
    guard case .logits(_, let values)? = results.first?.outcome else { return nil }
    return values.map(\.bitPattern)
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
  func failed(_ step: StepID, because error: any Error) {}
  func interrupted(_ step: StepID, because error: any Error) {}
}

/// Gives the same bytes for every piece of their size.
struct FixedSource: PieceSource {
  let bytes: [UInt8]
  var origin: PieceOrigin { .network }
  var name: String { "fixed bytes" }

  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard entry.byteCount == bytes.count else { return false }
    buffer.copyBytes(from: bytes)
    return true
  }
}

/// A model file as if it were behind a network.
struct RemoteSource: PieceSource {
  let source: ModelFileSource
  var origin: PieceOrigin { .network }
  var name: String { "a distant \(source.name)" }

  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try source.read(entry, into: buffer)
  }
}

/// A folder that is removed with its owner; the store makes it.
final class TemporaryFolder {
  let path = NSTemporaryDirectory() + "shoal-worker-\(UUID().uuidString)"
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A loader whose requests wait until the test runs them.
final class HeldLoader: ShareLoading {
  private let loader: ShareLoader
  private var waiting: [() -> Void] = []

  init(_ loader: ShareLoader) { self.loader = loader }

  var count: Int { waiting.count }

  func cancel() {}

  func load(
    _ request: ShareRequest, held: [PieceID: HeldPiece], post: @escaping @Sendable (ShareEvent) -> Void
  ) {
    waiting.append { [loader] in loader.load(request, held: held, post: post) }
  }

  /// Runs one of the requests, with the pieces that were in memory when it was made.
  func run(_ index: Int) { waiting[index]() }
}

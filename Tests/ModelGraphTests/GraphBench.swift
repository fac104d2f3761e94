import Kernels
import ModelGraph
import ModelSpec
import Tensors

/// A forward pass over one sequence, block by block.
final class GraphBench {
  let forward: Forward
  let pass: Pass
  let kv: KVLayout
  private let blocks: [AlignedBuffer]
  private let table: UnsafeMutablePointer<UnsafeMutableRawPointer>

  init(
    _ spec: ModelSpec, _ shard: Shard, rows: Int, kernels: Kernels, type: KVType = .f32, threads: Int = 1
  ) {
    forward = Forward(
      spec: spec, shard: shard, kernels: kernels, team: ThreadTeam(threads: threads), combine: .exact,
      rowCapacity: rows)
    pass = Pass(spec: spec, rowCapacity: rows)
    let kv = KVLayout(spec: spec, layers: spec.layers, type: type)
    self.kv = kv
    let blocks = (0..<(rows + 63) / 64).map { _ in AlignedBuffer(byteCount: kv.blockBytes) }
    self.blocks = blocks
    table = .allocate(capacity: blocks.count)
    for (index, block) in blocks.enumerated() { (table + index).initialize(to: block.base) }
  }

  deinit { table.deallocate() }

  /// Puts a prompt, or a part of one from `position` on, before the first layer.
  func begin(_ tokens: [TokenID], position: Int = 0) throws {
    pass.reset(layer: 0)
    pass.append(position: position, count: tokens.count, table: KVBlockTable(blocks: UnsafePointer(table)))
    try forward.embed(tokens, into: pass, row: 0)
    try forward.begin(pass)
  }

  /// The residual rows.
  var rows: [[Double]] {
    let width = forward.spec.hyperparameters.hiddenSize
    return (0..<pass.rowCount).map { row in (0..<width).map { Double(pass.residual(row)[$0]) } }
  }

  /// The current layer has no routed experts.
  struct Missing: Error {}

  /// Attention and routing of the current layer, which has experts.
  func trunk() throws -> (routed: RoutedRows, choices: [[(expert: Int, weight: Double)]]) {
    guard let routed = try forward.trunk(pass, kv: kv) else { throw Missing() }
    let choices = (0..<routed.rowCount).map { row in
      (Int(routed.firstChoice[row])..<Int(routed.firstChoice[row + 1])).map {
        (Int(routed.experts[$0]), Double(routed.weights[$0]))
      }
    }
    return (routed, choices)
  }

  /// The whole of the current layer.
  /// - Returns: the experts chosen for each row, ascending; nil in a layer without.
  func layer() throws -> [[Int]]? {
    guard forward.spec.requiresExperts(pass.layer) else {
      guard try forward.trunk(pass, kv: kv) == nil else { throw Missing() }
      return nil
    }
    let (routed, choices) = try trunk()
    try experts(routed)
    return choices.map { $0.map(\.expert).sorted() }
  }

  /// The experts of the current layer.
  func experts(_ routed: RoutedRows) throws {
    try forward.computeExperts(routed, into: pass.accumulators)
    try forward.addSharedExpert(pass)
    forward.finishLayer(pass)
  }

  func logits(rows: [Int]) throws -> [Double] {
    let output = AlignedBuffer(byteCount: 4 * rows.count * forward.spec.hyperparameters.vocabularySize)
    try forward.logits(pass, rows: rows, into: output.floats)
    return (0..<output.byteCount / 4).map { Double(output.floats[$0]) }
  }
}

/// Largest difference of two sets of rows.
func difference(_ left: [[Double]], _ right: [[Double]]) -> Double {
  guard left.count == right.count, zip(left, right).allSatisfy({ $0.count == $1.count }) else { return .infinity }
  return zip(left.joined(), right.joined()).map { abs($0 - $1) }.max() ?? 0
}

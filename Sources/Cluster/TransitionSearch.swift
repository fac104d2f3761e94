import Tensors

/// Looks for waves that lead from one placement to another. Greedy: a wave takes whatever still fits, in some order;
/// when one order ends where nothing more fits, another is tried.
struct TransitionSearch {
  /// Which move of a wave comes first.
  enum Order: CaseIterable {
    /// Those that free memory on the node with the least left.
    case tightestFirst
    case hostsFirst
    case hostsLast
    case largestFirst
    case smallestFirst
  }

  /// Something that is to be held by another node in the end.
  struct Move {
    let layer: Int
    /// Nil for the trunk of the layer with its KV cache.
    let expert: Int?
    let node: Int
    /// Nodes that can give it up then.
    let givers: [Int]
  }

  /// The way in which a search ended without arriving.
  private struct Obstacle {
    let move: Move
    let missing: Int
    /// What the node would hold.
    let total: Int
  }

  private enum Outcome {
    /// The placements between.
    case waves([LayerGrid])
    case stuck(Obstacle)
    case tooMany
  }

  let terms: MemoryTerms
  let start: LayerGrid?
  let goal: LayerGrid
  /// Of each node.
  let limits: [Int]

  /// Whether every node may hold what the goal gives it.
  func checkGoal() throws(TransitionError) {
    let meter = MemoryMeter(terms, goal)
    for (node, limit) in limits.enumerated() where meter.totalBytes(node) > limit {
      let total = meter.totalBytes(node)
      throw TransitionError(
        node: goal.nodes[node], missingBytes: total - limit,
        "node \"\(goal.nodes[node])\" is to hold \(ByteCountText.describe(total)), but may hold "
          + "\(ByteCountText.describe(limit)): \(ByteCountText.describe(total - limit)) are missing; give it fewer "
          + "experts or layers, or more memory")
    }
  }

  /// Whether all nodes can hold a placement and the goal at the same time.
  func fitsAtOnce(_ grid: LayerGrid) -> Bool {
    var meter = MemoryMeter(terms, grid)
    let ceilings = ceilings(meter)
    for move in moves(from: grid) { Self.add(move, to: &meter) }
    return limits.indices.allSatisfy { meter.totalBytes($0) <= ceilings[$0] }
  }

  /// The placements between, for the order with the fewest waves.
  func fewestWaves(_ start: LayerGrid) throws(TransitionError) -> [LayerGrid] {
    var best: [LayerGrid]?
    var nearest: Obstacle?
    for order in Order.allCases {
      switch waves(start, order) {
      case .waves(let waves):
        // Two waves cannot be beaten, since one was not enough.
        if waves.count <= 1 { return waves }
        if waves.count < best?.count ?? .max { best = waves }
      case .stuck(let obstacle): if obstacle.missing < nearest?.missing ?? .max { nearest = obstacle }
      case .tooMany: break
      }
    }
    if let best { return best }
    throw error(nearest)
  }

  // MARK: - Waves

  private func waves(_ start: LayerGrid, _ order: Order) -> Outcome {
    var (waves, grid) = ([LayerGrid](), start)
    while !fitsAtOnce(grid) {
      guard waves.count < TransitionPlan.waveCountMax - 1 else { return .tooMany }
      switch wave(from: grid, order) {
      case .success(let next): grid = next
      case .failure(let stuck): return .stuck(stuck.obstacle)
      }
      waves.append(grid)
    }
    return .waves(waves)
  }

  private struct Stuck: Error {
    let obstacle: Obstacle
  }

  /// The placement after one wave, with as much moved as fits.
  private func wave(from grid: LayerGrid, _ order: Order) -> Result<LayerGrid, Stuck> {
    var meter = MemoryMeter(terms, grid)
    let ceilings = ceilings(meter)
    var next = releasing(grid)
    var hasMoved = next != grid
    var nearest: Obstacle?
    let (freeing, others) = sorted(moves(from: grid), by: order, meter)
    func take(_ moves: [Move]) -> Bool {
      var areAllTaken = true
      for move in moves {
        let before = meter.nodes[move.node]
        Self.add(move, to: &meter)
        let total = meter.totalBytes(move.node)
        if total <= ceilings[move.node] {
          apply(move, to: &next)
          hasMoved = true
        } else {
          meter.nodes[move.node] = before
          areAllTaken = false
          let missing = total - ceilings[move.node]
          if missing < nearest?.missing ?? .max { nearest = Obstacle(move: move, missing: missing, total: total) }
        }
      }
      return areAllTaken
    }
    // What frees no memory waits as long as something else could use the room.
    if take(freeing) || !hasMoved { _ = take(others) }
    if !hasMoved, let nearest { return .failure(Stuck(obstacle: nearest)) }
    return .success(next)
  }

  /// What is missing of the goal, trunks first, by layer. Of an expert that takes several new holders, the first frees
  /// the old ones.
  private func moves(from grid: LayerGrid) -> [Move] {
    var moves: [Move] = []
    for (layer, host) in goal.hosts.enumerated() where grid.hosts[layer] != host {
      moves.append(Move(layer: layer, expert: nil, node: host, givers: [grid.hosts[layer]]))
    }
    for (layer, experts) in goal.holders.enumerated() {
      for (expert, final) in experts.enumerated() {
        let current = grid.holders[layer][expert]
        guard current != final else { continue }
        let isSafe = current.contains { final.contains($0) }
        let givers = isSafe ? [] : current
        for node in final where !current.contains(node) {
          moves.append(Move(layer: layer, expert: expert, node: node, givers: givers))
        }
      }
    }
    return moves
  }

  /// Every expert that a final holder has, on its final holders alone.
  private func releasing(_ grid: LayerGrid) -> LayerGrid {
    var next = grid
    for (layer, experts) in goal.holders.enumerated() {
      for (expert, final) in experts.enumerated() where grid.holders[layer][expert] != final {
        let kept = grid.holders[layer][expert].filter { final.contains($0) }
        if !kept.isEmpty { next.holders[layer][expert] = kept }
      }
    }
    return next
  }

  private func apply(_ move: Move, to grid: inout LayerGrid) {
    guard let expert = move.expert else {
      grid.hosts[move.layer] = move.node
      return
    }
    let final = goal.holders[move.layer][expert]
    let kept = grid.holders[move.layer][expert].filter { final.contains($0) }
    grid.holders[move.layer][expert] = (kept + [move.node]).sorted()
  }

  private static func add(_ move: Move, to meter: inout MemoryMeter) {
    if let expert = move.expert {
      meter.addExpert(expert, of: move.layer, move.node)
    } else {
      meter.addHost(of: move.layer, move.node)
    }
  }

  /// Most bytes each node may hold while a placement gives way to another.
  private func ceilings(_ meter: MemoryMeter) -> [Int] { limits.indices.map { max(limits[$0], meter.totalBytes($0)) } }

  // MARK: - Orders

  private func sorted(_ moves: [Move], by order: Order, _ meter: MemoryMeter) -> (freeing: [Move], others: [Move]) {
    let free = limits.indices.map { limits[$0] == .max ? .max : limits[$0] - meter.totalBytes($0) }
    let keys = moves.map { move -> Int in
      switch order {
      case .tightestFirst: move.givers.map { free[$0] }.min() ?? .max
      case .hostsFirst: move.expert == nil ? 0 : 1
      case .hostsLast: move.expert == nil ? 1 : 0
      case .largestFirst: -bytes(of: move)
      case .smallestFirst: bytes(of: move)
      }
    }
    let ranked = moves.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }.map { moves[$0] }
    return (ranked.filter { !$0.givers.isEmpty }, ranked.filter(\.givers.isEmpty))
  }

  private func bytes(of move: Move) -> Int {
    guard let expert = move.expert else { return sum(terms.trunkBytes[move.layer], terms.keyValueBytes[move.layer]) }
    return terms.expertBytes[move.layer][expert]
  }

  private func error(_ obstacle: Obstacle?) -> TransitionError {
    guard let obstacle else {
      return TransitionError(
        node: goal.nodes[0], missingBytes: 0,
        "the change takes more than \(TransitionPlan.waveCountMax) waves; make it in several edits")
    }
    let move = obstacle.move
    let piece = move.expert.map { "expert \($0) of layer \(move.layer)" } ?? "the trunk of layer \(move.layer)"
    let givers = move.givers.map { "\"\(goal.nodes[$0])\"" }.joined(separator: " and ")
    let (name, missing) = (goal.nodes[move.node], ByteCountText.describe(obstacle.missing))
    return TransitionError(
      node: name, missingBytes: obstacle.missing,
      "no order of waves fits: node \"\(name)\" lacks \(missing) to take \(piece)"
        + (givers.isEmpty ? "" : " from \(givers)")
        + " beside what it still holds (\(ByteCountText.describe(obstacle.total)) together); give it more memory, or "
        + "move something to a node with room by an edit before this one")
  }
}

import Kernels
import ModelSpec
import Tensors

extension Forward {
  /// Computes routed experts that this node holds and adds their weighted outputs, on each row's grid, to sums.
  ///
  /// All chosen experts go through the team together: gate and up projections, then the inner activations' form, then
  /// down projections and sums.
  /// - Parameters:
  ///   - rows: rows and choices; every chosen expert must be on this node.
  ///   - accumulators: `[rows.rowCount, hiddenSize]`; added to.
  /// - Throws: `ModelGraphError` when an expert is missing or a value leaves the grid.
  public func computeExperts(
    _ rows: RoutedRows, into accumulators: UnsafeMutablePointer<Int64>
  ) throws(ModelGraphError) {
    guard rows.choiceCount > 0 else { return }
    precondition(rows.choiceCount <= expertBlock.choiceCapacity, "too many choices in one request")
    let experts = try sortByExpert(rows)
    gather(rows)
    try expand(rows, experts)
    try contract(rows, experts, accumulators)
  }

  /// Counting sort of the choices by expert; fills `starts`, `active`, `sortedRows`, `sortedWeights`.
  /// - Returns: how many different experts were chosen.
  private func sortByExpert(_ rows: RoutedRows) throws(ModelGraphError) -> Int {
    let block = expertBlock
    let expertCount = model.expertCount
    block.starts.update(repeating: 0, count: expertCount + 1)
    for choice in 0..<rows.choiceCount { block.starts[Int(rows.experts[choice]) + 1] += 1 }
    var activeCount = 0
    for expert in 0..<expertCount {
      if block.starts[expert + 1] > 0 {
        _ = try shard.expert(expert, of: rows.layer)
        block.active[activeCount] = Int32(expert)
        activeCount += 1
      }
      block.starts[expert + 1] += block.starts[expert]
    }
    // Filling moves each start to the end of its run; shifting back restores it.
    for row in 0..<rows.rowCount {
      for choice in Int(rows.firstChoice[row])..<Int(rows.firstChoice[row + 1]) {
        let expert = Int(rows.experts[choice])
        let place = Int(block.starts[expert])
        block.starts[expert] += 1
        block.sortedRows[place] = Int32(row)
        block.sortedWeights[place] = rows.weights[choice]
      }
    }
    for expert in (1...expertCount).reversed() { block.starts[expert] = block.starts[expert - 1] }
    block.starts[0] = 0
    return activeCount
  }

  /// Copies each choice's input row to its sorted place, so that an expert's rows stand together.
  private func gather(_ rows: RoutedRows) {
    let block = expertBlock
    for form in ActivationForm.allCases {
      guard let source = rows.activations[form] else { continue }
      let stride = form.rowStride(elements: model.hiddenSize)
      let target = block.gathered[Int(form.rawValue)].base
      for place in 0..<rows.choiceCount {
        (target + place * stride).copyMemory(
          from: source + rows.sourceRow(Int(block.sortedRows[place])) * stride, byteCount: stride)
      }
    }
  }

  /// Inner activations, such as silu(gate x) * (up x), for every choice.
  private func expand(_ rows: RoutedRows, _ experts: Int) throws(ModelGraphError) {
    let block = expertBlock
    let width = model.expertWidth
    let pieceRows = min(width, 32)
    let pieces = (width + pieceRows - 1) / pieceRows
    team.parallelFor(count: experts * pieces, grain: 1) { range, _ in
      var item = range.lowerBound
      while item < range.upperBound {
        // All pieces of the range that are of one expert go together.
        let end = min(range.upperBound, (item / pieces + 1) * pieces)
        let start = item % pieces * pieceRows
        expand(
          Int(block.active[item / pieces]), of: rows.layer,
          innerRows: start..<min(width, start + (end - item) * pieceRows))
        item = end
      }
    }
  }

  private func expand(_ expert: Int, of layer: LayerIndex, innerRows: Range<Int>) {
    guard let weights = try? shard.expert(expert, of: layer) else { preconditionFailure("checked when sorted") }
    let block = expertBlock
    let width = model.expertWidth
    let first = Int(block.starts[expert])
    let count = Int(block.starts[expert + 1]) - first
    let matrices = weights.matrices
    multiplyGathered(matrices.gate, rows: innerRows, first: first, count: count, into: block.inner)
    multiplyGathered(matrices.up, rows: innerRows, first: first, count: count, into: block.upward)
    for place in first..<first + count {
      let offset = place * width + innerRows.lowerBound
      let (gate, up) = (block.inner + offset, block.upward + offset)
      if let bias = weights.gateBias { kernels.add(bias + innerRows.lowerBound, to: gate, count: innerRows.count) }
      if let bias = weights.upBias { kernels.add(bias + innerRows.lowerBound, to: up, count: innerRows.count) }
      activate(gate: gate, up: up, count: innerRows.count, output: gate)
    }
  }

  private func multiplyGathered(
    _ matrix: WeightMatrix, rows: Range<Int>, first: Int, count: Int, into target: UnsafeMutablePointer<Float>
  ) {
    let form = form(of: matrix)
    let stride = form.rowStride(elements: model.hiddenSize)
    kernels.multiply(
      matrix, rows: rows, activations: expertBlock.gathered[Int(form.rawValue)].base + first * stride,
      activationStride: stride, activationRows: count, output: target + first * model.expertWidth,
      outputStride: model.expertWidth)
  }

  /// Down projections, weighted and summed; a piece of work is a range of output elements, so no two threads meet.
  private func contract(
    _ rows: RoutedRows, _ experts: Int, _ accumulators: UnsafeMutablePointer<Int64>
  ) throws(ModelGraphError) {
    let block = expertBlock
    let weights = try shard.expert(Int(block.active[0]), of: rows.layer)
    let form = form(of: weights.matrices.down)
    let activations = block.innerActivations[Int(form.rawValue)].base
    guard prepare(form, block.inner, width: model.expertWidth, rows: rows.choiceCount, into: activations) else {
      throw ModelGraphError.notFinite("an expert", layer: rows.layer)
    }
    let grain = ExpertBlock.tileRows
    // The fewer rows an expert has, the longer the stretches of its weights that are read at once.
    let longest = max(grain, block.tileFloats / block.mostChoices(experts) / grain * grain)
    let isFinite = allSatisfy(rangesOf: model.hiddenSize, grain: grain) { range, thread in
      stride(from: range.lowerBound, to: range.upperBound, by: longest).allSatisfy { start in
        let output = start..<min(range.upperBound, start + longest)
        return (0..<experts).allSatisfy {
          contract(Int(block.active[$0]), rows, form, output, block.tiles[thread].floats, accumulators)
        }
      }
    }
    guard isFinite else { throw ModelGraphError.notFinite("an expert's output", layer: rows.layer) }
  }

  private func contract(
    _ expert: Int, _ rows: RoutedRows, _ form: ActivationForm, _ output: Range<Int>,
    _ tile: UnsafeMutablePointer<Float>, _ accumulators: UnsafeMutablePointer<Int64>
  ) -> Bool {
    guard let weights = try? shard.expert(expert, of: rows.layer) else { preconditionFailure("checked when sorted") }
    let block = expertBlock
    let first = Int(block.starts[expert])
    let count = Int(block.starts[expert + 1]) - first
    let stride = form.rowStride(elements: model.expertWidth)
    kernels.multiply(
      weights.matrices.down, rows: output,
      activations: block.innerActivations[Int(form.rawValue)].base + first * stride,
      activationStride: stride, activationRows: count, output: tile - output.lowerBound,
      outputStride: output.count)
    for index in 0..<count {
      let row = Int(block.sortedRows[first + index])
      let values = tile + index * output.count
      if let bias = weights.downBias { kernels.add(bias + output.lowerBound, to: values, count: output.count) }
      let done = kernels.accumulate(
        values, weight: block.sortedWeights[first + index],
        exponent: rows.exponents[row], count: output.count,
        into: accumulators + row * model.hiddenSize + output.lowerBound)
      guard done else { return false }
    }
    return true
  }
}

import Kernels
import ModelSpec
import Synchronization
import Tensors

/// Steps that the blocks share.
extension Forward {
  /// RMS norm of all residual rows into the workspace; each row also into the forms wanted, while it is in the cache.
  func norm(_ pass: Pass, _ weight: UnsafePointer<Float>, into forms: FormSet) throws(ModelGraphError) {
    let width = model.hiddenSize
    let output = workspace.normed
    let isFinite = allSatisfy(count: pass.rowCount, grain: 4) { row, _ in
      let normed = output + row * width
      kernels.rmsNorm(
        input: pass.residual(row), weight: weight, epsilon: model.normEpsilon, count: width, output: normed)
      return ActivationForm.allCases.allSatisfy { form in
        !forms.contains(FormSet(form))
          || kernels.prepareActivations(
            form, input: normed, elements: width,
            row: workspace.activations(form) + row * form.rowStride(elements: width))
      }
    }
    guard isFinite else { throw ModelGraphError.notFinite("the normalised hidden state", layer: pass.layer) }
  }

  /// Puts the normed rows into a form once more, after others have used its memory.
  private func prepareNormed(_ form: ActivationForm, _ pass: Pass) throws(ModelGraphError) {
    let activations = workspace.activations(form)
    guard prepare(form, workspace.normed, width: model.hiddenSize, rows: pass.rowCount, into: activations) else {
      throw ModelGraphError.notFinite("the normalised hidden state", layer: pass.layer)
    }
  }

  /// A matrix that the normed rows are multiplied with, and where the products go, `[rows, matrix.rows]`.
  struct Projection {
    let matrix: WeightMatrix
    let output: UnsafeMutablePointer<Float>

    init(_ matrix: WeightMatrix, _ output: UnsafeMutablePointer<Float>) {
      self.matrix = matrix
      self.output = output
    }
  }

  /// Projects all normed rows, one pass of the team over the rows of all matrices.
  /// - Parameter isPrepared: the rows are in the matrices' forms as `norm` has left them.
  func project(_ pass: Pass, _ projections: [Projection], isPrepared: Bool) throws(ModelGraphError) {
    if !isPrepared {
      let forms = projections.reduce(FormSet()) { $0.union(FormSet($1.matrix)) }
      for form in ActivationForm.allCases where forms.contains(FormSet(form)) { try prepareNormed(form, pass) }
    }
    let total = projections.reduce(0) { $0 + $1.matrix.rows }
    team.parallelFor(count: total, grain: grain(total)) { range, _ in
      var start = 0
      for projection in projections {
        multiplyPart(projection, range, start: start, pass.rowCount)
        start += projection.matrix.rows
      }
    }
  }

  /// The part of `range` that falls on a matrix whose rows are numbered from `start` on.
  private func multiplyPart(_ projection: Projection, _ range: Range<Int>, start: Int, _ rows: Int) {
    let matrix = projection.matrix
    let part = range.clamped(to: start..<start + matrix.rows)
    guard !part.isEmpty else { return }
    let form = form(of: matrix)
    kernels.multiply(
      matrix, rows: part.lowerBound - start..<part.upperBound - start, activations: workspace.activations(form),
      activationStride: form.rowStride(elements: matrix.columns), activationRows: rows, output: projection.output,
      outputStride: matrix.rows)
  }

  /// Projects rows of the workspace, such as the attention's output, back to the hidden size, into `projected`.
  /// - Parameters:
  ///   - input: `[rows, matrix.columns]`.
  ///   - what: the block, for the error.
  func projectBack(
    _ pass: Pass, _ matrix: WeightMatrix, _ input: UnsafePointer<Float>, _ what: String
  ) throws(ModelGraphError) {
    let form = form(of: matrix)
    let activations = workspace.activations(form)
    guard prepare(form, input, width: matrix.columns, rows: pass.rowCount, into: activations) else {
      throw ModelGraphError.notFinite(what, layer: pass.layer)
    }
    multiply(
      matrix, activations, form.rowStride(elements: matrix.columns), pass.rowCount, into: workspace.projected,
      outputStride: model.hiddenSize)
  }

  /// The form of the rows that a matrix is multiplied with.
  func form(of matrix: WeightMatrix) -> ActivationForm {
    guard let form = matrix.type.activationForm else { preconditionFailure("unchecked type") }
    return form
  }

  /// Puts rows of float32 into a form, in parallel.
  /// - Returns: false when a value is not finite.
  func prepare(
    _ form: ActivationForm, _ input: UnsafePointer<Float>, width: Int, rows: Int,
    into output: UnsafeMutableRawPointer
  ) -> Bool {
    let stride = form.rowStride(elements: width)
    return allSatisfy(count: rows, grain: 4) { row, _ in
      kernels.prepareActivations(form, input: input + row * width, elements: width, row: output + row * stride)
    }
  }

  /// Does a piece of work for each of `0..<count`, in parallel.
  /// - Parameters:
  ///   - grain: pieces that one thread takes at a time.
  ///   - body: the piece, and the number of the thread; false when it has met a value that is not finite.
  /// - Returns: whether all pieces were true.
  func allSatisfy(count: Int, grain: Int, _ body: (_ index: Int, _ thread: Int) -> Bool) -> Bool {
    allSatisfy(rangesOf: count, grain: grain) { range, thread in range.allSatisfy { body($0, thread) } }
  }

  /// The same for ranges of pieces; one that meets a value that is not finite need not be finished.
  func allSatisfy(rangesOf count: Int, grain: Int, _ body: (_ range: Range<Int>, _ thread: Int) -> Bool) -> Bool {
    workspace.failed.store(false, ordering: .relaxed)
    team.parallelFor(count: count, grain: grain) { range, thread in
      if !body(range, thread) { workspace.failed.store(true, ordering: .relaxed) }
    }
    return !workspace.failed.load(ordering: .relaxed)
  }

  /// Rotates the first `ropeSize` elements of a head by the angles of a row.
  func rotate(_ head: UnsafeMutablePointer<Float>, _ pass: Pass, _ row: Int) {
    let pairs = model.ropeSize / 2
    kernels.rotate(
      head, cosines: pass.cosines + row * pairs, sines: pass.sines + row * pairs, pairs: pairs,
      style: spec.family.rotation == .halves ? .halfSplit : .interleaved)
  }

  /// Lets a row's queries grow with its position, in models that say so.
  func applyTemperature(_ queries: UnsafeMutablePointer<Float>, count: Int, position: Int) {
    guard let temperature = model.temperature else { return }
    let factor = Float(1 + temperature.scale * Maths.log(Double(1 + position / temperature.length)))
    for index in 0..<count { queries[index] *= factor }
  }

  /// A matrix times rows of activations, output rows divided among the threads.
  func multiply(
    _ matrix: WeightMatrix, _ activations: UnsafeRawPointer, _ stride: Int, _ rows: Int,
    into output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    team.parallelFor(count: matrix.rows, grain: grain(matrix.rows)) { range, _ in
      kernels.multiply(
        matrix, rows: range, activations: activations, activationStride: stride, activationRows: rows,
        output: output, outputStride: outputStride)
    }
  }

  /// Rows in a piece of work: small enough that a busy core delays nobody, large enough to be worth taking.
  func grain(_ rows: Int) -> Int {
    team.threadCount == 1 ? rows : max(16, (rows / (32 * team.threadCount)) & ~15)
  }
}

import Kernels
import ModelSpec
import Tensors

/// Scratch memory of one engine, sized once for the largest pass; nothing in it survives a piece of work.
final class Workspace {
  let rowCapacity: Int
  /// Norm outputs, `[rowCapacity, hiddenSize]`.
  let normed: UnsafeMutablePointer<Float>
  /// Query heads, then attention outputs, `[rowCapacity, headCount * head size]`.
  let queries: UnsafeMutablePointer<Float>
  let keys: UnsafeMutablePointer<Float>
  let values: UnsafeMutablePointer<Float>
  let attended: UnsafeMutablePointer<Float>
  /// Output of a projection back to the residual, `[rowCapacity, hiddenSize]`.
  let projected: UnsafeMutablePointer<Float>
  /// Router scores, `[rowCapacity, expertCount]`.
  let routerScores: UnsafeMutablePointer<Float>
  /// Rows in each activation form, `[rowCapacity]` rows of `stride` bytes.
  private let activationBuffers: [AlignedBuffer]
  private let threadScratch: [AlignedBuffer]
  private let buffers: [AlignedBuffer]
  /// Set by any thread that meets a value that is not finite.
  let failed: UnsafeMutablePointer<Bool>

  init(_ model: Hyperparameters, rowCapacity: Int, threads: Int) {
    self.rowCapacity = rowCapacity
    let queryWidth = model.headCount * max(model.keyHeadSize, model.valueHeadSize)
    let keyWidth = model.keyValueHeadCount * model.keyHeadSize
    let valueWidth = model.keyValueHeadCount * model.valueHeadSize
    let widths = [model.hiddenSize, queryWidth, keyWidth, valueWidth, queryWidth, model.hiddenSize, model.expertCount]
    buffers = widths.map { AlignedBuffer(byteCount: 4 * rowCapacity * $0) }
    normed = buffers[0].floats
    queries = buffers[1].floats
    keys = buffers[2].floats
    values = buffers[3].floats
    attended = buffers[4].floats
    projected = buffers[5].floats
    routerScores = buffers[6].floats
    let widest = max(model.hiddenSize, queryWidth)
    activationBuffers = ActivationForm.allCases.map {
      AlignedBuffer(byteCount: rowCapacity * $0.rowStride(elements: widest))
    }
    let group = model.headCount / model.keyValueHeadCount
    let scratch = Kernels.attentionScratch + group * (2 + model.valueHeadSize)
    threadScratch = (0..<threads).map { _ in AlignedBuffer(byteCount: 4 * scratch) }
    failed = .allocate(capacity: 1)
    failed.initialize(to: false)
  }

  deinit { failed.deallocate() }

  /// Where rows of a form stand; each use of a form overwrites the one before.
  func activations(_ form: ActivationForm) -> UnsafeMutableRawPointer { activationBuffers[Int(form.rawValue)].base }

  /// Room for one group of query heads: `Kernels.attentionScratch` values, then a state for each head.
  func scratch(thread: Int) -> UnsafeMutablePointer<Float> { threadScratch[thread].floats }
}

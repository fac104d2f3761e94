import Kernels
import ModelSpec
import Synchronization
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
  /// Inner activations of a dense feed-forward block or a shared expert, `[rowCapacity, width]` each.
  let inner: UnsafeMutablePointer<Float>
  let upward: UnsafeMutablePointer<Float>
  /// Rows in each activation form, `[rowCapacity]` rows of `stride` bytes.
  private let activationBuffers: [AlignedBuffer]
  private let threadScratch: [AlignedBuffer]
  private let buffers: [AlignedBuffer]
  /// For attention of few rows; nil for one thread.
  let tileStates: TileStates?
  /// Set by any thread that meets a value that is not finite.
  let failed = Atomic<Bool>(false)

  init(_ model: Hyperparameters, rowCapacity: Int, threads: Int) {
    self.rowCapacity = rowCapacity
    buffers = Self.floatCounts(model).map { AlignedBuffer(byteCount: 4 * rowCapacity * $0) }
    normed = buffers[0].floats
    queries = buffers[1].floats
    keys = buffers[2].floats
    values = buffers[3].floats
    attended = buffers[4].floats
    projected = buffers[5].floats
    routerScores = buffers[6].floats
    inner = buffers[7].floats
    upward = buffers[8].floats
    activationBuffers = ActivationForm.allCases.map {
      AlignedBuffer(byteCount: rowCapacity * $0.rowStride(elements: Self.widest(model)))
    }
    tileStates = TileStates(model, threads: threads)
    threadScratch = (0..<threads).map { _ in AlignedBuffer(byteCount: 4 * AttentionScratch.floatCount(model)) }
  }

  /// Values of a row in each of the buffers.
  private static func floatCounts(_ model: Hyperparameters) -> [Int] {
    let keyWidth = model.keyValueHeadCount * model.keyHeadSize
    let valueWidth = model.keyValueHeadCount * model.valueHeadSize
    let query = queryWidth(model)
    let inner = innerWidth(model)
    return [model.hiddenSize, query, keyWidth, valueWidth, query, model.hiddenSize, model.expertCount, inner, inner]
  }

  private static func queryWidth(_ model: Hyperparameters) -> Int {
    model.headCount * max(model.keyHeadSize, model.valueHeadSize)
  }

  private static func innerWidth(_ model: Hyperparameters) -> Int { max(model.denseWidth, model.sharedWidth) }

  private static func widest(_ model: Hyperparameters) -> Int {
    let attended = model.headCount * (model.latent?.valueHeadSize ?? model.valueHeadSize)
    return max(model.hiddenSize, attended, innerWidth(model), model.latent?.queryRank ?? 0)
  }

  /// Bytes a workspace takes.
  static func byteCount(_ model: Hyperparameters, rowCapacity: Int, threads: Int) -> Int {
    let floats = rowCapacity * floatCounts(model).reduce(0, +) + threads * AttentionScratch.floatCount(model)
    return 4 * floats + TileStates.byteCount(model, threads: threads)
      + ActivationForm.allCases.reduce(0) { $0 + rowCapacity * $1.rowStride(elements: widest(model)) }
  }

  /// Where rows of a form stand; each use of a form overwrites the one before.
  func activations(_ form: ActivationForm) -> UnsafeMutableRawPointer { activationBuffers[Int(form.rawValue)].base }

  /// Room for an `AttentionScratch`.
  func scratch(thread: Int) -> UnsafeMutablePointer<Float> { threadScratch[thread].floats }
}

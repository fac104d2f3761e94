import Kernels
import ModelSpec
import Tensors

/// Scratch memory of latent attention, beside that of every forward pass.
final class LatentWorkspace {
  /// Queries on their way down, `[rowCapacity, queryRank]`.
  let latentQueries: UnsafeMutablePointer<Float>
  /// Projected query heads, `[rowCapacity, headCount * queryHeadSize]`.
  let queryHeads: UnsafeMutablePointer<Float>
  /// Value heads that attention has summed, `[rowCapacity, headCount * valueHeadSize]`.
  let valueHeads: UnsafeMutablePointer<Float>
  /// One head's rows after another's, in the forms that have been asked for: one, as a rule.
  private var activationBuffers: [ActivationForm: AlignedBuffer] = [:]
  private let activationBytes: [ActivationForm: Int]
  private let buffers: [AlignedBuffer]

  /// Nil for a model without latent attention.
  init?(_ model: Hyperparameters, rowCapacity: Int) {
    guard let latent = model.latent else { return nil }
    buffers = Self.floatCounts(model, latent).map { AlignedBuffer(byteCount: 4 * rowCapacity * $0) }
    latentQueries = buffers[0].floats
    queryHeads = buffers[1].floats
    valueHeads = buffers[2].floats
    activationBytes = Self.activationBytes(model, latent, rowCapacity: rowCapacity)
  }

  /// Values of a row in each of the buffers.
  private static func floatCounts(_ model: Hyperparameters, _ latent: LatentShape) -> [Int] {
    [latent.queryRank ?? 0, model.headCount * latent.queryHeadSize, model.headCount * latent.valueHeadSize]
  }

  private static func activationBytes(
    _ model: Hyperparameters, _ latent: LatentShape, rowCapacity: Int
  ) -> [ActivationForm: Int] {
    let widest = max(latent.queryHeadSize - model.ropeSize, latent.keyValueRank)
    return Dictionary(
      uniqueKeysWithValues: ActivationForm.allCases.map {
        ($0, rowCapacity * model.headCount * $0.rowStride(elements: widest))
      })
  }

  /// Most bytes it takes with one form of activations.
  static func byteCount(_ model: Hyperparameters, rowCapacity: Int) -> Int {
    guard let latent = model.latent else { return 0 }
    let activations = activationBytes(model, latent, rowCapacity: rowCapacity).values.max() ?? 0
    return 4 * rowCapacity * floatCounts(model, latent).reduce(0, +) + activations
  }

  /// Where rows of a form stand.
  func activations(_ form: ActivationForm) -> UnsafeMutableRawPointer {
    if let buffer = activationBuffers[form] { return buffer.base }
    let buffer = AlignedBuffer(byteCount: activationBytes[form] ?? 0)
    activationBuffers[form] = buffer
    return buffer.base
  }
}

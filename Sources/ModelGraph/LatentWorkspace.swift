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
  /// One head's rows after another's in an activation form.
  private let activationBuffers: [AlignedBuffer]
  private let buffers: [AlignedBuffer]

  /// Nil for a model without latent attention.
  init?(_ model: Hyperparameters, rowCapacity: Int) {
    guard let latent = model.latent else { return nil }
    buffers = Self.floatCounts(model, latent).map { AlignedBuffer(byteCount: 4 * rowCapacity * $0) }
    latentQueries = buffers[0].floats
    queryHeads = buffers[1].floats
    valueHeads = buffers[2].floats
    activationBuffers = ActivationForm.allCases.map {
      AlignedBuffer(byteCount: Self.activationBytes($0, model, latent, rowCapacity: rowCapacity))
    }
  }

  /// Values of a row in each of the buffers.
  private static func floatCounts(_ model: Hyperparameters, _ latent: LatentShape) -> [Int] {
    [latent.queryRank ?? 0, model.headCount * latent.queryHeadSize, model.headCount * latent.valueHeadSize]
  }

  private static func activationBytes(
    _ form: ActivationForm, _ model: Hyperparameters, _ latent: LatentShape, rowCapacity: Int
  ) -> Int {
    let widest = max(latent.queryHeadSize - model.ropeSize, latent.keyValueRank)
    return rowCapacity * model.headCount * form.rowStride(elements: widest)
  }

  /// Bytes it takes.
  static func byteCount(_ model: Hyperparameters, rowCapacity: Int) -> Int {
    guard let latent = model.latent else { return 0 }
    return 4 * rowCapacity * floatCounts(model, latent).reduce(0, +)
      + ActivationForm.allCases.reduce(0) {
        $0 + activationBytes($1, model, latent, rowCapacity: rowCapacity)
      }
  }

  /// Where rows of a form stand.
  func activations(_ form: ActivationForm) -> UnsafeMutableRawPointer { activationBuffers[Int(form.rawValue)].base }
}

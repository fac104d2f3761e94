import Kernels
import ModelSpec
import Tensors

/// Scratch memory for routing and for the routed experts of one request.
final class ExpertBlock {
  let model: Hyperparameters
  let kernels: Kernels
  let team: ThreadTeam
  /// Most choices of one request.
  let choiceCapacity: Int
  /// The router's choices of the current pass, `[rows, expertsPerToken]`.
  let chosen: UnsafeMutablePointer<Int32>
  let chosenWeights: UnsafeMutablePointer<Float>
  let firstChoice: UnsafeMutablePointer<Int32>
  /// One row's scores as the choice goes by them, `[expertCount]`, and its groups, `[groupCount]` each.
  let ranked: UnsafeMutablePointer<Float>
  let groupScores: UnsafeMutablePointer<Float>
  let chosenGroups: UnsafeMutablePointer<Int32>
  /// Choices sorted by expert: the row and the weight of each, `[choiceCapacity]`.
  let sortedRows: UnsafeMutablePointer<Int32>
  let sortedWeights: UnsafeMutablePointer<Float>
  /// Where each expert's choices start among the sorted ones, `[expertCount + 1]`.
  let starts: UnsafeMutablePointer<Int32>
  /// Experts that were chosen at all, ascending, `[expertCount]`.
  let active: UnsafeMutablePointer<Int32>
  /// Inner activations, `[choiceCapacity, expertWidth]`, and room for the up projection.
  let inner: UnsafeMutablePointer<Float>
  let upward: UnsafeMutablePointer<Float>
  /// Inputs gathered in sorted order, and inner activations in the form of the down projection.
  let gathered: [AlignedBuffer]
  let innerActivations: [AlignedBuffer]
  /// Output rows of one expert, `[choices, tile]` for each thread.
  let tiles: [AlignedBuffer]
  private let buffers: [AlignedBuffer]

  /// Room in a tile.
  let tileFloats: Int

  /// Rows of the down projection that are computed for all experts before others.
  static let tileRows = 32

  private static func tileFloats(_ model: Hyperparameters, rowCapacity: Int) -> Int {
    max(rowCapacity * tileRows, model.hiddenSize)
  }

  /// The largest number of choices of one expert.
  /// - Parameter active: how many experts were chosen at all.
  func mostChoices(_ active: Int) -> Int {
    (0..<active).reduce(1) { most, index in
      let expert = Int(self.active[index])
      return max(most, Int(starts[expert + 1] - starts[expert]))
    }
  }

  init(_ model: Hyperparameters, kernels: Kernels, team: ThreadTeam, rowCapacity: Int) {
    self.model = model
    self.kernels = kernels
    self.team = team
    let choices = rowCapacity * model.expertsPerToken
    choiceCapacity = choices
    buffers = Self.sizes(model, rowCapacity: rowCapacity).map { AlignedBuffer(byteCount: $0) }
    chosen = buffers[0].base.assumingMemoryBound(to: Int32.self)
    chosenWeights = buffers[1].floats
    firstChoice = buffers[2].base.assumingMemoryBound(to: Int32.self)
    sortedRows = buffers[3].base.assumingMemoryBound(to: Int32.self)
    sortedWeights = buffers[4].floats
    starts = buffers[5].base.assumingMemoryBound(to: Int32.self)
    active = buffers[6].base.assumingMemoryBound(to: Int32.self)
    inner = buffers[7].floats
    upward = buffers[8].floats
    ranked = buffers[9].floats
    groupScores = buffers[10].floats
    chosenGroups = buffers[11].base.assumingMemoryBound(to: Int32.self)
    gathered = ActivationForm.allCases.map {
      AlignedBuffer(byteCount: choices * $0.rowStride(elements: model.hiddenSize))
    }
    innerActivations = ActivationForm.allCases.map {
      AlignedBuffer(byteCount: choices * $0.rowStride(elements: model.expertWidth))
    }
    let tileFloats = Self.tileFloats(model, rowCapacity: rowCapacity)
    self.tileFloats = tileFloats
    tiles = (0..<team.threadCount).map { _ in AlignedBuffer(byteCount: 4 * tileFloats) }
  }

  /// Bytes of each of the buffers.
  private static func sizes(_ model: Hyperparameters, rowCapacity: Int) -> [Int] {
    let choices = rowCapacity * model.expertsPerToken
    let innerBytes = 4 * choices * model.expertWidth
    return [
      4 * choices, 4 * choices, 4 * (rowCapacity + 1), 4 * choices, 4 * choices, 4 * (model.expertCount + 1),
      4 * model.expertCount, innerBytes, innerBytes, 4 * model.expertCount, 4 * model.routing.groupCount,
      4 * model.routing.groupCount,
    ]
  }

  /// Bytes a block takes.
  static func byteCount(_ model: Hyperparameters, rowCapacity: Int, threads: Int) -> Int {
    let choices = rowCapacity * model.expertsPerToken
    let rows = ActivationForm.allCases.reduce(0) {
      $0 + $1.rowStride(elements: model.hiddenSize) + $1.rowStride(elements: model.expertWidth)
    }
    return sizes(model, rowCapacity: rowCapacity).reduce(0, +) + choices * rows
      + threads * 4 * tileFloats(model, rowCapacity: rowCapacity)
  }
}

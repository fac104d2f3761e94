import Kernels
import Tensors

/// The weights exp((score - highest) / temperature) of a whole vocabulary: their sum, and a draw by them.
///
/// The vocabulary is taken in blocks of a fixed length, so that the result depends on the scores alone: inside a block
/// float32 as the softmax kernel computes, across blocks float64 in order.
struct BlockWeights {
  static let blockCount = 4096

  private let kernels: Kernels
  /// The softmax of the block that was looked at last.
  private let block = AlignedBuffer(byteCount: Self.blockCount * MemoryLayout<Float>.stride)
  /// Sums of the weights of the blocks.
  private var sums: [Double] = []

  init(kernels: Kernels) { self.kernels = kernels }

  /// The sum of all weights, at least 1.
  /// - Parameters:
  ///   - scores: finite or minus infinity, at least one of them finite.
  ///   - highest: the largest score.
  mutating func sum(_ scores: UnsafeBufferPointer<Float>, highest: Float, temperature: Float) -> Double {
    sums.removeAll(keepingCapacity: true)
    var total = 0.0
    for start in stride(from: 0, to: scores.count, by: Self.blockCount) {
      let sum = blockSum(Self.block(of: scores, at: start), highest: highest, temperature: temperature)
      sums.append(sum)
      total += sum
    }
    return total
  }

  /// The token at which the sum of weights, taken in order of ids, comes above `draw` times the sum of all.
  /// - Parameter draw: from 0 up to, but not including, 1.
  mutating func token(
    at draw: Double, _ scores: UnsafeBufferPointer<Float>, highest: Float, temperature: Float
  ) -> Int {
    let target = draw * sum(scores, highest: highest, temperature: temperature)
    var before = 0.0
    // Rounding can leave the target above all sums: then the last token with a weight is taken.
    var chosen = sums.lastIndex { $0 > 0 } ?? 0
    for index in sums.indices {
      if before + sums[index] > target {
        chosen = index
        break
      }
      if index < chosen { before += sums[index] }
    }
    let start = chosen * Self.blockCount
    let values = Self.block(of: scores, at: start)
    let blockSum = blockSum(values, highest: highest, temperature: temperature)
    var last = 0
    for index in values.indices where block.floats[index] > 0 {
      before += Double(block.floats[index]) * blockSum
      last = index
      if before > target { break }
    }
    return start + last
  }

  /// The sum of a block's weights; leaves their shares of it in `block`.
  private func blockSum(_ values: UnsafeBufferPointer<Float>, highest: Float, temperature: Float) -> Double {
    let largest = LogitScan.largest(values)
    guard largest > -.infinity else { return 0 }
    for index in values.indices { block.floats[index] = (values[index] - largest) / temperature }
    kernels.softmax(block.floats, count: values.count)
    // The share of the largest is 1 / sum, its weight relative to the block 1.
    let share = LogitScan.largest(UnsafeBufferPointer(start: block.floats, count: values.count))
    return Maths.exp((Double(largest) - Double(highest)) / Double(temperature)) / Double(share)
  }

  private static func block(of scores: UnsafeBufferPointer<Float>, at start: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(rebasing: scores[start..<min(start + blockCount, scores.count)])
  }
}

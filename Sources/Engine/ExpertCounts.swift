import ModelGraph
import ModelSpec
import Tensors

/// How often the router chose each expert, by layer.
final class ExpertCounts {
  private let buffer: AlignedBuffer
  /// `[layerCount, expertCount]`
  private let counts: UnsafeMutablePointer<UInt64>
  private let layerCount: Int
  private let expertCount: Int

  init(_ model: Hyperparameters) {
    layerCount = model.layerCount
    expertCount = model.expertCount
    buffer = AlignedBuffer(byteCount: 8 * layerCount * expertCount)
    counts = buffer.base.assumingMemoryBound(to: UInt64.self)
  }

  /// Counts the choices of an exchange.
  func add(_ rows: RoutedRows) {
    let row = counts + rows.layer.rawValue * expertCount
    for choice in 0..<rows.choiceCount { row[Int(rows.experts[choice])] &+= 1 }
  }

  /// The counts of a layer by expert.
  subscript(layer: LayerIndex) -> [UInt64] {
    Array(UnsafeBufferPointer(start: counts + layer.rawValue * expertCount, count: expertCount))
  }

  /// Takes the counts of some layers over from another engine of the same model.
  func inherit(_ layers: Range<LayerIndex>, from other: ExpertCounts) {
    guard layerCount == other.layerCount, expertCount == other.expertCount else { return }
    let first = layers.lowerBound.rawValue * expertCount
    (counts + first).update(from: other.counts + first, count: layers.count * expertCount)
  }
}

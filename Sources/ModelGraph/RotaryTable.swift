import Kernels
import ModelSpec

/// Angles of rotary position embedding: pair i of a head turns by position * base^(-2i / size).
///
/// Source: Su et al., "RoFormer" (2021). Frequencies and angles are float64, rounded to float32 after sine and cosine.
struct RotaryTable {
  private let frequencies: [Double]

  init(_ model: Hyperparameters) {
    frequencies = (0..<model.ropeSize / 2).map { pair in
      Maths.pow(model.ropeBase, -2 * Double(pair) / Double(model.ropeSize))
    }
  }

  /// Writes `[ropeSize / 2]` cosines and sines of one position.
  func fill(position: Int, cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>) {
    for pair in frequencies.indices {
      let (sine, cosine) = Maths.sinCos(Double(position) * frequencies[pair])
      cosines[pair] = Float(cosine)
      sines[pair] = Float(sine)
    }
  }
}

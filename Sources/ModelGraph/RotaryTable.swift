import Kernels
import ModelSpec

/// Angles of rotary position embedding: pair i of a head turns by position * base^(-2i / size), or by what the model's
/// scaling makes of that.
///
/// Source: Su et al., "RoFormer" (2021); Peng et al., "YaRN" (2023). Frequencies and angles are float64, rounded to
/// float32 after sine and cosine.
struct RotaryTable {
  private let frequencies: [Double]
  /// Factor of cosines and sines.
  private let magnitude: Double

  /// - Parameter factors: divide the frequencies, `[ropeSize / 2]`.
  init(_ model: Hyperparameters, factors: UnsafePointer<Float>?) throws(ModelGraphError) {
    let pairs = model.ropeSize / 2
    var frequencies = (0..<pairs).map { Maths.pow(model.ropeBase, -2 * Double($0) / Double(model.ropeSize)) }
    if let factors {
      for pair in 0..<pairs {
        guard factors[pair].isFinite, factors[pair] > 0 else {
          throw ModelGraphError(
            .notFinite, "rope_freqs.weight holds \(factors[pair]), which is no factor; is the model file damaged?")
        }
        frequencies[pair] /= Double(factors[pair])
      }
    }
    var magnitude = model.ropeMagnitude
    switch model.ropeScaling {
    case .none: break
    case .linear(let factor): frequencies = frequencies.map { $0 / factor }
    case .yarn(let yarn):
      frequencies = Self.mixed(frequencies, yarn, model)
      magnitude *= yarn.magnitude(yarn.rotaryMultiplier) / yarn.magnitude(yarn.logMultiplier)
    }
    self.frequencies = frequencies
    self.magnitude = magnitude
  }

  /// YaRN: pairs below `low` keep their frequency, those from `high` on have it divided by the factor.
  private static func mixed(_ frequencies: [Double], _ yarn: YarnScaling, _ model: Hyperparameters) -> [Double] {
    let low = max(0, floor(yarn.pair(turns: yarn.betaFast, model)))
    let high = min(model.ropeSize - 1, -floor(-yarn.pair(turns: yarn.betaSlow, model)))
    let width = max(0.001, Double(high - low))
    return frequencies.indices.map { pair in
      let kept = 1 - min(1, max(0, Double(pair - low) / width))
      return frequencies[pair] / yarn.factor * (1 - kept) + frequencies[pair] * kept
    }
  }

  /// Largest integer that is not above x, limited to what any model has pairs.
  private static func floor(_ x: Double) -> Int {
    let limited = min(max(x, -1e6), 1e6)
    let truncated = Int(limited)
    return Double(truncated) > limited ? truncated - 1 : truncated
  }

  /// Writes `[ropeSize / 2]` cosines and sines of one position.
  func fill(position: Int, cosines: UnsafeMutablePointer<Float>, sines: UnsafeMutablePointer<Float>) {
    for pair in frequencies.indices {
      let (sine, cosine) = Maths.sinCos(Double(position) * frequencies[pair])
      cosines[pair] = Float(cosine * magnitude)
      sines[pair] = Float(sine * magnitude)
    }
  }
}

extension YarnScaling {
  /// m(s) = 1 + 0.1 s ln(factor).
  func magnitude(_ multiplier: Double) -> Double { 1 + 0.1 * multiplier * Maths.log(factor) }

  /// The pair, between two of them as a rule, that turns `turns` times within the original context.
  fileprivate func pair(turns: Double, _ model: Hyperparameters) -> Double {
    Double(model.ropeSize) * Maths.log(Double(originalContext) / (turns * 2 * Double.pi))
      / (2 * Maths.log(model.ropeBase))
  }
}

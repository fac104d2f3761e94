import Tensors

/// A small generator with a seed (SplitMix64), so that a failure can be repeated.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// About normally distributed, standard deviation 1.
  mutating func normal() -> Float {
    (0..<12).reduce(Float(-6)) { sum, _ in sum + Float.random(in: 0..<1, using: &self) }
  }
}

/// Kinds of numbers that kernels meet.
enum Distribution: CaseIterable {
  case normal, wide, denormal, huge, sparse, constant

  func values(_ count: Int, seed: UInt64) -> [Float] {
    var random = SeededRandom(seed)
    return (0..<count).map { _ in
      switch self {
      case .normal: return random.normal()
      case .wide:
        let exponent = Int.random(in: -20...20, using: &random)
        return Float(sign: .plus, exponent: exponent, significand: random.normal())
      case .denormal: return random.normal() * 0x1p-130
      case .huge: return random.normal() * 0x1p55
      case .sparse: return Bool.random(using: &random) ? 0 : random.normal() * 30
      case .constant: return -0.75
      }
    }
  }
}

extension [Float] {
  /// The bits, in which -0 differs from 0. All NaNs count as one.
  var bits: [UInt32] { map { $0.isNaN ? 0x7FC0_0000 : $0.bitPattern } }
}

/// The random numbers of sampling: each is a function of seed and position alone, so that neither the batch, nor the
/// nodes, nor what was drawn before can change a token.
enum Draw {
  /// A number from 0 up to, but not including, 1: a multiple of 2^-53.
  ///
  /// The output number `position` (counted from 0) of SplitMix64 (Steele, Lea and Flood 2014) started in the state that
  /// is its first output for `seed`; of the 64 bits the upper 53.
  static func uniform(seed: UInt64, position: Int) -> Double {
    let state = mixed(seed &+ increment)
    let bits = mixed(state &+ increment &* (UInt64(truncatingIfNeeded: position) &+ 1))
    return Double(bits >> 11) * 0x1p-53
  }

  private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

  /// SplitMix64's finaliser.
  private static func mixed(_ state: UInt64) -> UInt64 {
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }
}

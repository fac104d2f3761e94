/// SplitMix64: a small generator whose whole state is its seed, so that a run can be drawn again.
public struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  /// A number from 0 to `bound - 1`.
  public mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// A number from `range`.
  public mutating func next(in range: ClosedRange<Int>) -> Int { range.lowerBound + next(below: range.count) }

  /// A number from 0 to 1.
  public mutating func unit() -> Float { Float(next() >> 40) / Float(1 << 24) }

  /// One of the elements.
  public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[next(below: elements.count)] }

  /// True with a probability.
  public mutating func chance(_ probability: Double) -> Bool {
    probability > 0 && Double(next() >> 11) < probability * Double(1 << 53)
  }
}

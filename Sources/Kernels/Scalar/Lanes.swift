/// The fixed order of float32 sums (docs/numerics.md): 16 lanes, then one tree.
enum Lanes {
  static let count = 16

  /// Sum of products; lane l takes the elements i with i % 16 == l in ascending order, by fused multiply-add. Both
  /// vectors count as continued with zeros to a multiple of 16.
  @inline(__always)
  static func dot(count: Int, _ pair: (_ index: Int) -> (Float, Float)) -> Float {
    var lanes = InlineArray<16, Float>(repeating: 0)
    var start = 0
    while start < count {
      let filled = min(Lanes.count, count - start)
      for lane in 0..<filled {
        let (left, right) = pair(start + lane)
        lanes[lane] = lanes[lane].addingProduct(left, right)
      }
      for lane in filled..<Lanes.count { lanes[lane] = lanes[lane] + 0 }
      start += Lanes.count
    }
    return reduce(&lanes)
  }

  /// Plain sum in the same lanes and the same tree.
  @inline(__always)
  static func sum(count: Int, _ element: (_ index: Int) -> Float) -> Float {
    var lanes = InlineArray<16, Float>(repeating: 0)
    for index in 0..<count { lanes[index % Lanes.count] += element(index) }
    return reduce(&lanes)
  }

  /// Lane l += lane l + 8, then + 4, + 2, + 1.
  @inline(__always)
  private static func reduce(_ lanes: inout InlineArray<16, Float>) -> Float {
    var half = 8
    while half > 0 {
      for lane in 0..<half { lanes[lane] += lanes[lane + half] }
      half /= 2
    }
    return lanes[0]
  }
}

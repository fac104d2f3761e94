import Tensors
import Testing
import Wire

@Suite struct CombineViewTests {
  private func view<Value>(
    _ bytes: [UInt8], hiddenSize: Int, _ body: (CombineView) throws(WireError) -> Value
  ) throws(WireError) -> Value {
    try bytes.decoding { (bytes) throws(WireError) in try body(try CombineView(bytes, hiddenSize: hiddenSize)) }
  }

  /// Packs a row, adds it to a row of ones, and takes the ones off again.
  private func passed(_ row: [Int64]) throws -> (width: Int, values: [Int64]) {
    let bytes = DataSamples.combine(row, rowCount: 1, hiddenSize: row.count)
    return try view(bytes, hiddenSize: row.count) { (view) throws(WireError) in
      var sums = [Int64](repeating: 1, count: row.count)
      view.add(row: 0, into: &sums)
      return (view.width(row: 0), sums.map { $0 &- 1 })
    }
  }

  @Test("each row takes the fewest bytes that hold it")
  func widths() throws {
    let bounds: [(Int, Int64)] = [(2, 1 << 15), (3, 1 << 23), (4, 1 << 31), (8, 1 << 62)]
    for (position, (width, bound)) in bounds.enumerated() {
      for value in [bound - 1, -bound] {
        for place in [0, 3, 6] {
          var row = [Int64](repeating: 5, count: 7)
          row[place] = value
          let result = try passed(row)
          #expect(result.width == width && result.values == row)
        }
      }
      if position + 1 < bounds.count {
        #expect(try passed([0, bound, 0]).width == bounds[position + 1].0)
        #expect(try passed([0, -bound - 1, 0]).width == bounds[position + 1].0)
      }
    }
    #expect(try passed([0]).width == 2)
    #expect(try passed([.min, .max]).values == [.min, .max])
  }

  @Test("random rows of every width and length come back")
  func random() throws {
    var generator = SeededGenerator(seed: 5)
    for count in 1...40 {
      for bits: Int64 in [10, 16, 20, 24, 30, 32, 50, 62] {
        let row = (0..<count).map { _ in Int64.random(in: -(1 << (bits - 1))..<(1 << (bits - 1)), using: &generator) }
        #expect(try passed(row).values == row)
      }
    }
  }

  @Test("rows of different widths stand one behind the other")
  func rows() throws {
    let bytes = DataSamples.combine()
    #expect(bytes.count == 8 + 4 + 16 * (2 + 3 + 4 + 8))
    try view(bytes, hiddenSize: 16) { (view) throws(WireError) in
      #expect(view.layer == 4 && view.pass == 1 && view.part == 250 && view.rowCount == 4)
      #expect((0..<4).map { view.width(row: $0) } == [2, 3, 4, 8])
      for row in [3, 0, 2, 1] {
        var sums = [Int64](repeating: 0, count: 16)
        view.add(row: row, into: &sums)
        #expect(sums == Array(DataSamples.sums[16 * row..<16 * (row + 1)]))
      }
    }
  }

  @Test("every other length, and every other width, is refused")
  func refusals() {
    let bytes = DataSamples.combine()
    for count in 0..<bytes.count {
      #expect(throws: WireError.self) { try view(Array(bytes.prefix(count)), hiddenSize: 16) { _ in } }
    }
    #expect(throws: WireError.self) { try view(bytes + [0], hiddenSize: 16) { _ in } }
    #expect(throws: WireError.self) { try view(bytes, hiddenSize: 17) { _ in } }
    for width: UInt8 in 0...255 where ![2, 3, 4, 8].contains(width) {
      var changed = bytes
      changed[8] = width
      #expect(throws: WireError.self) { try view(changed, hiddenSize: 16) { _ in } }
    }
    var rowless = bytes
    rowless[4] = 0
    var reserved = bytes
    reserved[7] = 1
    #expect(throws: WireError.self) { try view(reserved, hiddenSize: 16) { _ in } }
    #expect(throws: WireError.self) { try view(rowless, hiddenSize: 16) { _ in } }
  }

  @Test("sums beyond all measure wrap around instead of stopping the process")
  func overflow() throws {
    let bytes = DataSamples.combine([.max, .min], rowCount: 1, hiddenSize: 2)
    try view(bytes, hiddenSize: 2) { (view) throws(WireError) in
      var sums: [Int64] = [.max, .min]
      view.add(row: 0, into: &sums)
      #expect(sums == [-2, 0])
    }
  }
}

/// Numbers from a seed, the same on every machine (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}

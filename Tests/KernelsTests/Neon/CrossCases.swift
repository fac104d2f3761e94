import Tensors

@testable import Kernels

/// The calls that the kernels of another CPU are compared with the reference on: every kernel, every shape of its loops,
/// the numbers that are special to it.
enum CrossCases {
  static let all: [CrossCase] =
    PresentKernels.types.flatMap(quantizedProducts) + floatProducts + allHalves + activations + rows + powers
    + rotations + attention + combine

  private static let sentinel: Float = -12345

  private static func floats(_ numbers: [Float]) -> [UInt8] { CrossBytes.of(numbers) }
  private static func blank(_ count: Int) -> [UInt8] { floats([Float](repeating: sentinel, count: count)) }

  // MARK: Products

  private static func product(
    _ name: String, _ type: QuantType, _ weights: [UInt8], rows: Int, elements: Int, _ activations: [UInt8],
    stride: Int,
    count: Int
  ) -> CrossCase {
    CrossCase(
      "\(type.name), \(name), \(rows) x \(elements) with \(count)", .multiply,
      [Int(type.rawValue), weights.count / rows, rows, stride, count, elements, rows + 3],
      [weights, Array(activations[..<(count * stride)]), blank((rows + 3) * count)])
  }

  private static func quantizedProducts(_ type: QuantType) -> [CrossCase] {
    guard let form = type.activationForm else { return [] }
    var cases: [CrossCase] = []
    func add(_ name: String, _ weights: [UInt8], rows: Int, _ samples: [[Float]], counts: [Int]) {
      let activations = ActivationRows(form, rows: samples)
      let bytes = withExtendedLifetime(activations) {
        Array(UnsafeRawBufferPointer(start: activations.buffer.base, count: activations.stride * samples.count))
      }
      cases += counts.map { count in
        product(
          name, type, weights, rows: rows, elements: activations.elements, bytes, stride: activations.stride,
          count: count)
      }
    }
    let normal = { (rows: Int, elements: Int) in
      (0..<rows).map { ActivationSample.normal.floats(elements, seed: UInt64($0)) }
    }
    for rows in [1, 2, 3, 4, 5, 7, 8, 9, 17] {
      let weights = WeightSample.sane.bytes(type, rows: rows, elements: 2 * form.blockElements, seed: UInt64(rows))
      add("shapes", weights, rows: rows, normal(9, 2 * form.blockElements), counts: Array(1...9))
    }
    let extremes = ActivationSample.allCases.map { $0.floats(768, seed: 21) }
    for sample in WeightSample.allCases {
      let weights = sample.bytes(type, rows: 9, elements: 768, seed: 22)
      add(sample.rawValue, weights, rows: 9, extremes, counts: [1, extremes.count])
    }
    // A row of nothing but one byte, for every byte: nothing saturates.
    var numbers = SeededNumbers(seed: 23)
    let bytes = (UInt8.min...UInt8.max).flatMap { byte in
      (0..<256 / type.blockElements).flatMap { _ in
        var block = [UInt8](repeating: byte, count: type.blockBytes)
        WeightSample.sane.setScales(of: &block, type, &numbers)
        return block
      }
    }
    let largest = [ActivationSample.largest, .alternating].map { $0.floats(256, seed: 0) }
    add("every byte", bytes, rows: 256, largest + largest.map { $0.map { -$0 } }, counts: [1, 4])
    for blocks in [1, 3, 7, 8, 9, 64, 65, 130] {
      let elements = blocks * form.blockElements
      let weights = WeightSample.sane.bytes(type, rows: 5, elements: elements, seed: UInt64(blocks))
      add("lengths", weights, rows: 5, normal(3, elements), counts: [1, 3])
    }
    return cases
  }

  private static let floatProducts: [CrossCase] = [QuantType.f32, .f16, .bf16].flatMap { type in
    Distribution.allCases.flatMap { distribution in
      [(1, 1, 1), (9, 15, 1), (6, 16, 5), (7, 37, 3), (13, 256, 2), (5, 1000, 9)].map { rows, columns, count in
        let matrix = FloatMatrix(
          Distribution.normal.values(rows * columns, seed: 3), type: type, rows: rows, columns: columns)
        let weights = withExtendedLifetime(matrix) {
          Array(UnsafeRawBufferPointer(start: matrix.matrix.bytes, count: rows * matrix.matrix.rowBytes))
        }
        return product(
          "\(distribution)", type, weights, rows: rows, elements: columns,
          floats(distribution.values(count * columns, seed: 4)), stride: 4 * columns, count: count)
      }
    }
  }

  /// Every number of 16 bits as a weight.
  private static let allHalves: [CrossCase] = [QuantType.f16, .bf16].map { type in
    product(
      "all", type, CrossBytes.of(Array(UInt16.min...UInt16.max)), rows: 1 << 16, elements: 1, floats([1]), stride: 4,
      count: 1)
  }

  // MARK: Rows

  private static let activations: [CrossCase] = PresentKernels.forms.flatMap { form in
    let elements = 768
    let bytes = form.wireBytes(elements: elements) + elements / 8
    var samples = ActivationSample.allCases.map { $0.floats(elements, seed: 5) }
    samples += Distribution.allCases.map { $0.values(elements, seed: 6) }
    samples.append((0..<elements).map { $0 == 0 ? 127 : Float($0 % 253) / 2 - 63 })
    for bad in [Float.nan, .infinity, -.infinity] {
      samples.append(ActivationSample.normal.floats(767, seed: 7) + [bad])
    }
    return samples.enumerated().flatMap { index, sample -> [CrossCase] in
      let make = CrossCase(
        "\(form) of sample \(index)", .quantize, [form.blockElements, elements],
        [floats(sample), [UInt8](repeating: 7, count: bytes)], makesFloats: false)
      var row = make.reference().bytes
      for place in form.wireBytes(elements: elements)..<bytes { row[place] = 9 }
      func complete(_ name: String, _ row: [UInt8]) -> CrossCase {
        CrossCase("\(form) \(name) \(index)", .complete, [form.blockElements, elements], [row], makesFloats: false)
      }
      var (lowest, negative) = (row, row)
      lowest[index] = 0x80
      negative[elements + 3] |= 0x80
      return [make, complete("completed", row), complete("with -128", lowest), complete("with a sign", negative)]
    }
  }

  private static let counts = [1, 3, 4, 5, 15, 16, 17, 64, 303]

  private static let rows: [CrossCase] = Distribution.allCases.flatMap { distribution in
    counts.flatMap { count -> [CrossCase] in
      let name = "\(count) \(distribution)"
      let values = floats(distribution.values(count, seed: 8))
      let others = floats(Distribution.normal.values(count, seed: 9))
      return [
        CrossCase(
          "norm of \(name)", .norm, [CrossBytes.parameter(Float(1e-5)), count], [values, others, blank(count)]),
        CrossCase("softmax of \(name)", .softmax, [count], [values]),
        CrossCase("SwiGLU of \(name)", .swiGLU, [count], [values, others, blank(count)]),
        CrossCase("addition of \(name)", .add, [count], [values, others]),
        CrossCase("dot of \(name)", .dot, [count], [values, others, blank(1)]),
        CrossCase("float32 of \(name)", .store, [4, count], [values, blank(count)]),
        CrossCase(
          "float16 of \(name)", .store, [2, count], [values, [UInt8](repeating: 7, count: 2 * count)],
          makesFloats: false),
      ]
    }
  }

  /// Numbers over the whole range, and those where conversions and powers change their ways.
  private static let powers: [CrossCase] = {
    let steps = (0..<20_000).map { Float(bitPattern: UInt32($0) &* 214_663) }
    let edges: [Float] = [
      0, -0.0, 88.72283, 88.72284, 88.7229, -87.33654, -87.33655, -87.3366, -104, 1000, -1000, .infinity, -.infinity,
      .nan, .leastNonzeroMagnitude,
    ]
    let all = steps + edges
    let halves: [Float] = [
      65504, 65519.996, 65520, -65520, 2049, 2051, 0x1p-24, 0x1p-25, 0x1.000002p-25, 0x1.8p-24, 0x1.ffep-15,
      0x1.fffp-15,
      .nan, .infinity,
    ]
    let fitting = steps.filter { abs($0) < 65520 }
    let one = floats([Float](repeating: 1, count: all.count))
    return [CrossCase("powers", .swiGLU, [all.count], [floats(all), one, blank(all.count)])]
      + [[1, 2, 3], [0, -0.0, -0.0], [-0.0, 0], [7], [1, .nan, 3], [.infinity, 1], [3, -.infinity, 2]].map {
        CrossCase("softmax of \($0)", .softmax, [$0.count], [floats($0)])
      }
      + ([fitting] + halves.map { [$0] }).map { values in
        CrossCase(
          "float16 of \(values.prefix(3))", .store, [2, values.count],
          [floats(values), [UInt8](repeating: 7, count: 2 * values.count)], makesFloats: false)
      }
      + [Float.nan, .infinity, -.infinity].map {
        CrossCase("float32 of \($0)", .store, [4, 5], [floats([1, 2, 3, 4, $0]), blank(5)])
      }
  }()

  private static let rotations: [CrossCase] = [0, 1].flatMap { style in
    [1, 2, 3, 4, 5, 8, 32, 67].map { pairs in
      let angles = (0..<2).map { floats(Distribution.normal.values(pairs, seed: 10 + UInt64($0))) }
      let head = floats(Distribution.wide.values(2 * pairs + 3, seed: 12))
      return CrossCase("rotation \(style) of \(pairs)", .rotate, [style, pairs], angles + [head])
    }
  }

  // MARK: Attention

  /// All scores are -0, and the largest counts as +0.
  private static let zeroScores = CrossCase(
    "attention to scores of -0", .attend, [4, 1, 1, 4, 4, 3, 1, 1, 3, CrossBytes.parameter(Float(0.3)) | 1 << 32],
    [floats([-.leastNonzeroMagnitude]), floats([1, 1, 1]), floats([1, 2, 3]), blank(3)])

  private static let attention: [CrossCase] =
    [zeroScores]
    + [KVType.f16, .f32].flatMap { type in
      [(16, 16), (64, 64), (128, 128), (40, 24), (7, 3), (72, 200), (192, 137)].flatMap { key, value in
        [(1, 64, 64), (1, 1, 3), (2, 15, 16), (4, 64, 1), (5, 17, 63), (9, 64, 20)].flatMap { queries, first, second in
          tiles(type, key, value, queries: queries, counts: [first, second])
        }
      }
    }

  /// A tile and the next one, which goes on with what the first left.
  private static func tiles(_ type: KVType, _ key: Int, _ value: Int, queries: Int, counts: [Int]) -> [CrossCase] {
    let width = type.byteCount(elements: 1)
    func stored(_ count: Int, _ elements: Int, seed: UInt64) -> [UInt8] {
      let values = Distribution.normal.values(count * elements, seed: seed)
      guard type == .f16 else { return floats(values) }
      return CrossBytes.of(values.map { HalfFloat.f16($0) })
    }
    let asked = floats(Distribution.normal.values(queries * (key + 3), seed: 13))
    var states = blank(queries * (value + 9))
    return counts.enumerated().map { index, count in
      let first = index == 0 ? 1 << 32 : 0
      let tile = CrossCase(
        "\(type) attention of \(queries) to \(count), \(key) and \(value)", .attend,
        [
          width, key + 3, queries, (key + 1) * width, (value + 5) * width, count, key, value, value + 9,
          CrossBytes.parameter(Float(0.3)) | first,
        ],
        [
          asked, stored(count, key + 1, seed: 14 + UInt64(index)), stored(count, value + 5, seed: 16 + UInt64(index)),
          states,
        ])
      states = tile.reference().bytes
      return tile
    }
  }

  // MARK: Combine

  private static let combine: [CrossCase] = Distribution.allCases.flatMap { distribution in
    counts.flatMap { count -> [CrossCase] in
      let scale = distribution == .huge ? 0x1p-30 : 0x1p24
      let parameters = [CrossBytes.parameter(Float(0.37)), CrossBytes.parameter(scale), count]
      let old = CrossBytes.of((0..<count).map { Int64($0) - 5 })
      let values = distribution.values(count, seed: 18)
      let add = CrossCase(
        "sums of \(count) \(distribution)", .accumulate, parameters, [floats(values), old], makesFloats: false)
      let unfit = [Float.nan, .infinity, 0x1p51 / Float(scale) * 4].map { bad in
        CrossCase(
          "sums with \(bad)", .accumulate, parameters, [floats(values.dropLast() + [bad]), old], makesFloats: false)
      }
      let residual = floats(Distribution.normal.values(count, seed: 19))
      let end = CrossCase(
        "residual of \(count) \(distribution)", .addAccumulated, [CrossBytes.parameter(1 / scale), count],
        [add.reference().bytes, residual])
      return [add, end] + unfit
    }
  }
}

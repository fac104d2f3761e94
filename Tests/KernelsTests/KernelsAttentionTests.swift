import Foundation
import Kernels
import Tensors
import Testing

@Suite struct KernelsAttentionTests {
  /// Keys and values of one head in memory, with gaps between positions.
  private final class Cache {
    let type: KVType
    let (keyElements, valueElements, positions): (Int, Int, Int)
    let (keys, values): (AlignedBuffer, AlignedBuffer)
    var keyStride: Int { type.byteCount(elements: keyElements) + 12 }
    var valueStride: Int { type.byteCount(elements: valueElements) + 20 }

    init(_ type: KVType, keyElements: Int, valueElements: Int, positions: Int, distribution: Distribution) {
      self.type = type
      (self.keyElements, self.valueElements, self.positions) = (keyElements, valueElements, positions)
      keys = AlignedBuffer(byteCount: positions * (type.byteCount(elements: keyElements) + 12))
      values = AlignedBuffer(byteCount: positions * (type.byteCount(elements: valueElements) + 20))
      let keyNumbers = distribution.values(positions * keyElements, seed: 31)
      let valueNumbers = Distribution.normal.values(positions * valueElements, seed: 32)
      for position in 0..<positions {
        let key = Array(keyNumbers[position * keyElements..<(position + 1) * keyElements])
        let value = Array(valueNumbers[position * valueElements..<(position + 1) * valueElements])
        _ = scalarKernels.storeKeyValue(
          type, input: key, count: keyElements, output: keys.base + position * keyStride)
        _ = scalarKernels.storeKeyValue(
          type, input: value, count: valueElements, output: values.base + position * valueStride)
      }
    }

    func element(_ memory: AlignedBuffer, _ stride: Int, _ position: Int, _ index: Int) -> Double {
      let row = memory.base + position * stride
      return switch type {
      case .f16: Double(Float16(bitPattern: row.load(fromByteOffset: 2 * index, as: UInt16.self)))
      case .f32: Double(row.load(fromByteOffset: 4 * index, as: Float.self))
      case .q8_0:
        Double(Float16(bitPattern: row.load(fromByteOffset: index / 32 * 34, as: UInt16.self)))
          * Double(row.load(fromByteOffset: index / 32 * 34 + 2 + index % 32, as: Int8.self))
      }
    }

    /// The state after all tiles of the first `visible` positions.
    func state(_ kernels: Kernels, query: [Float], visible: Int, scale: Float = 0.3) -> [Float] {
      let scratch = AlignedBuffer(byteCount: 4 * Kernels.attentionScratch(queries: 1))
      return output(2 + valueElements) { state in
        for start in stride(from: 0, to: visible, by: KVType.blockPositions) {
          kernels.attendTile(
            query: query, keys: keys.base + start * keyStride, keyStride: keyStride,
            values: values.base + start * valueStride, valueStride: valueStride, type: type,
            count: min(KVType.blockPositions, visible - start), keyElements: keyElements,
            valueElements: valueElements, scale: scale, scratch: scratch.floats, state: state, isFirst: start == 0)
        }
      }
    }
  }

  @Test("attention has the reference's bits", arguments: KVType.allCases, [Distribution.normal, .sparse, .constant])
  func bits(type: KVType, distribution: Distribution) {
    for (keyElements, valueElements) in [(16, 16), (64, 64), (128, 128), (40, 24), (7, 3), (72, 200), (192, 137)] {
      let cache = Cache(
        type, keyElements: keyElements, valueElements: valueElements, positions: 130, distribution: distribution)
      let query = Distribution.normal.values(keyElements, seed: 33)
      for visible in [1, 2, 15, 16, 17, 63, 64, 65, 100, 130] {
        let expected = cache.state(scalarKernels, query: query, visible: visible)
        for kernels in vectorKernels {
          let found = cache.state(kernels, query: query, visible: visible)
          #expect(
            found.bits == expected.bits, "\(kernels.instructionSet) \(keyElements) \(valueElements) \(visible)")
        }
      }
    }
  }

  @Test("a sink is what a last tile of one position with that score and a value of zero would be")
  func sink() {
    for (score, sink) in [(1.5, 0.25), (-3, 7), (0, 0), (100, -100), (-100, 100)] as [(Float, Float)] {
      var query: Float = 1
      var state = [Float](repeating: 0, count: 5)
      func attend(_ key: Float, _ values: [Float], isFirst: Bool) {
        var scratch = [Float](repeating: 0, count: Kernels.attentionScratch(queries: 1))
        var key = key
        scalarKernels.attendTile(
          query: &query, keys: &key, keyStride: 4, values: values, valueStride: 12, type: .f32, count: 1,
          keyElements: 1, valueElements: 3, scale: 1, scratch: &scratch, state: &state, isFirst: isFirst)
      }
      attend(score, [2, -5, 0.5], isFirst: true)
      let found = output(3) { scalarKernels.finishAttention(state: state, valueElements: 3, sink: sink, output: $0) }
      attend(sink, [0, 0, 0], isFirst: false)
      let expected = output(3) { scalarKernels.finishAttention(state: state, valueElements: 3, output: $0) }
      #expect(found.bits == expected.bits, "\(score) \(sink)")
      let share = 1 / (1 + exp(Double(sink) - Double(score)))
      #expect(abs(Double(found[0]) - 2 * share) < 1e-6)
    }
  }

  @Test("attention is close to that in float64", arguments: KVType.allCases)
  func accuracy(type: KVType) {
    let cache = Cache(type, keyElements: 64, valueElements: 48, positions: 150, distribution: .normal)
    let query = Distribution.normal.values(64, seed: 34)
    for visible in [1, 64, 150] {
      let state = cache.state(scalarKernels, query: query, visible: visible)
      let found = output(48) { scalarKernels.finishAttention(state: state, valueElements: 48, output: $0) }
      let powers = (0..<visible).map { position in
        let product = (0..<64).reduce(0.0) {
          $0 + Double(query[$1]) * cache.element(cache.keys, cache.keyStride, position, $1)
        }
        return exp(product * Double(Float(0.3)))
      }
      let sum = powers.reduce(0, +)
      for index in 0..<48 {
        let exact = (0..<visible).reduce(0.0) {
          $0 + powers[$1] * cache.element(cache.values, cache.valueStride, $1, index)
        }
        #expect(abs(Double(found[index]) - exact / sum) < 1e-5)
      }
    }
  }

  @Test("queries that share a call have the bits they have alone", arguments: KVType.allCases)
  func sharing(type: KVType) {
    for (keyElements, valueElements) in [(64, 64), (128, 128), (40, 27), (7, 83)] {
      let cache = Cache(
        type, keyElements: keyElements, valueElements: valueElements, positions: 130, distribution: .normal)
      let scratch = AlignedBuffer(byteCount: 4 * Kernels.attentionScratch(queries: 70))
      let (queryStride, stateStride) = (keyElements + 3, valueElements + 9)
      for (queryCount, visible) in [(1, 64), (2, 20), (4, 130), (7, 65), (8, 128), (9, 1), (70, 100)] {
        let queries = Distribution.normal.values(queryCount * queryStride, seed: 36)
        for kernels in allKernels {
          let states = output(queryCount * stateStride) { states in
            for start in stride(from: 0, to: visible, by: KVType.blockPositions) {
              kernels.attendTile(
                queries: queries, queryStride: queryStride, queryCount: queryCount,
                keys: cache.keys.base + start * cache.keyStride, keyStride: cache.keyStride,
                values: cache.values.base + start * cache.valueStride, valueStride: cache.valueStride, type: type,
                count: min(KVType.blockPositions, visible - start), keyElements: keyElements,
                valueElements: valueElements, scale: 0.3, scratch: scratch.floats, states: states,
                stateStride: stateStride, isFirst: start == 0)
            }
          }
          for query in 0..<queryCount {
            let alone = cache.state(
              scalarKernels, query: Array(queries[query * queryStride..<query * queryStride + keyElements]),
              visible: visible)
            let start = query * stateStride
            #expect(Array(states[start..<start + 2 + valueElements]).bits == alone.bits)
            #expect(states[start + 2 + valueElements..<start + stateStride].allSatisfy { $0 == 7 })
          }
        }
      }
    }
  }

  @Test("tiles attended to apart and merged in order have the bits of those one after the other")
  func merging() {
    for valueElements in [1, 8, 16, 27, 128] {
      let cache = Cache(.f16, keyElements: 32, valueElements: valueElements, positions: 300, distribution: .normal)
      let query = Distribution.normal.values(32, seed: 37)
      for kernels in allKernels {
        let expected = cache.state(kernels, query: query, visible: 300)
        let scratch = AlignedBuffer(byteCount: 4 * Kernels.attentionScratch(queries: 1))
        let states = stride(from: 0, to: 300, by: KVType.blockPositions).map { start in
          output(2 + valueElements) {
            kernels.attendTile(
              query: query, keys: cache.keys.base + start * cache.keyStride, keyStride: cache.keyStride,
              values: cache.values.base + start * cache.valueStride, valueStride: cache.valueStride, type: .f16,
              count: min(KVType.blockPositions, 300 - start), keyElements: 32, valueElements: valueElements,
              scale: 0.3, scratch: scratch.floats, state: $0, isFirst: true)
          }
        }
        var found = states[0] + [7]
        for tile in states.dropFirst() { kernels.mergeAttention(tile, valueElements: valueElements, into: &found) }
        #expect(found.bits == (expected + [7]).bits, "\(kernels.instructionSet) \(valueElements)")
      }
    }
  }

  @Test("what lies behind the visible positions is never looked at")
  func invisible() {
    let cache = Cache(.f32, keyElements: 32, valueElements: 32, positions: 64, distribution: .normal)
    let query = Distribution.normal.values(32, seed: 35)
    for kernels in allKernels {
      let before = cache.state(kernels, query: query, visible: 21)
      for position in 21..<64 {
        (cache.keys.base + position * cache.keyStride).storeBytes(of: .nan, as: Float.self)
        (cache.values.base + position * cache.valueStride).storeBytes(of: .nan, as: Float.self)
      }
      #expect(cache.state(kernels, query: query, visible: 21).bits == before.bits)
      #expect(cache.state(kernels, query: query, visible: 22)[1].isNaN)
    }
  }

  @Test("a tile with far lower scores adds nothing, one with far higher scores takes over")
  func farScores() {
    let cache = Cache(.f32, keyElements: 1, valueElements: 1, positions: 66, distribution: .constant)
    let key = { (position: Int) in (cache.keys.base + position * cache.keyStride).assumingMemoryBound(to: Float.self) }
    for kernels in allKernels {
      for position in 0..<66 { key(position)[0] = position < 64 ? 1 : -1000 }
      let low = cache.state(kernels, query: [1], visible: 66, scale: 1)
      #expect(low == cache.state(kernels, query: [1], visible: 64, scale: 1))
      for position in 64..<66 { key(position)[0] = 1000 }
      let high = cache.state(kernels, query: [1], visible: 66, scale: 1)
      #expect(high[0] == 1000 && high[1] == 2)
    }
  }
}

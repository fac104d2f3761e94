import Foundation

/// The blocks of qwen3moe as their papers write them, in float64 and one value at a time.
struct Reference {
  let values: [String: [Float]]
  var hidden = 32, heads = 4, keyHeads = 2, keySize = 16, valueSize = 8, rotated = 12
  var experts = 6, chosen = 3, width = 24, vocabulary = 40
  var epsilon = 1e-5, base = 500.0

  init(_ model: TinyModel) { values = model.values }

  func weights(_ name: String) -> [Double] { (values[name] ?? []).map(Double.init) }

  func norm(_ input: [Double], _ weight: [Double]) -> [Double] {
    let mean = input.reduce(0) { $0 + $1 * $1 } / Double(input.count)
    return zip(input, weight).map { $0 / (mean + epsilon).squareRoot() * $1 }
  }

  /// Rows of `columns` values times a vector.
  func multiply(_ matrix: ArraySlice<Double>, _ vector: [Double]) -> [Double] {
    (0..<matrix.count / vector.count).map { row in
      vector.indices.reduce(0) { $0 + matrix[matrix.startIndex + row * vector.count + $1] * vector[$1] }
    }
  }

  func embedding(_ token: Int) -> [Double] { Array(weights("token_embd")[token * hidden..<(token + 1) * hidden]) }

  /// RMS norm of one head, then rotation of its first elements, halves together.
  func turned(_ head: [Double], _ weight: [Double], position: Int) -> [Double] {
    var result = norm(head, weight)
    for pair in 0..<rotated / 2 {
      let angle = Double(position) * pow(base, -2 * Double(pair) / Double(rotated))
      let (x, y) = (result[pair], result[pair + rotated / 2])
      result[pair] = x * cos(angle) - y * sin(angle)
      result[pair + rotated / 2] = x * sin(angle) + y * cos(angle)
    }
    return result
  }

  /// Residual rows after the attention of a layer.
  func attended(_ rows: [[Double]], layer: Int) -> [[Double]] {
    let name = { "blk.\(layer).\($0 as String)" }
    var keys: [[[Double]]] = []
    var cached: [[[Double]]] = []
    return rows.enumerated().map { position, residual in
      let input = norm(residual, weights(name("attn_norm")))
      let query = multiply(weights(name("attn_q"))[...], input)
      let key = multiply(weights(name("attn_k"))[...], input)
      let value = multiply(weights(name("attn_v"))[...], input)
      keys.append(
        (0..<keyHeads).map { head in
          turned(Array(key[head * keySize..<(head + 1) * keySize]), weights(name("attn_k_norm")), position: position)
        })
      cached.append((0..<keyHeads).map { Array(value[$0 * valueSize..<($0 + 1) * valueSize]) })
      var output: [Double] = []
      for head in 0..<heads {
        let shared = head / (heads / keyHeads)
        let turned = turned(
          Array(query[head * keySize..<(head + 1) * keySize]), weights(name("attn_q_norm")), position: position)
        let scores = keys.map { key in
          zip(turned, key[shared]).reduce(0) { $0 + $1.0 * $1.1 } / Double(keySize).squareRoot()
        }
        let powers = scores.map { exp($0 - (scores.max() ?? 0)) }
        let sum = powers.reduce(0, +)
        for element in 0..<valueSize {
          output.append(zip(powers, cached).reduce(0) { $0 + $1.0 / sum * $1.1[shared][element] })
        }
      }
      return zip(residual, multiply(weights(name("attn_output"))[...], output)).map(+)
    }
  }

  /// The experts chosen for a row, best first, and their weights.
  func routed(_ residual: [Double], layer: Int) -> [(expert: Int, weight: Double)] {
    let input = norm(residual, weights("blk.\(layer).ffn_norm"))
    let scores = multiply(weights("blk.\(layer).ffn_gate_inp")[...], input)
    let powers = scores.map { exp($0) }
    let best = powers.indices.sorted { (powers[$1], $0) < (powers[$0], $1) }.prefix(chosen)
    let sum = best.reduce(0) { $0 + powers[$1] }
    return best.map { ($0, powers[$0] / sum) }
  }

  /// What one expert makes of a row.
  func expert(_ index: Int, _ residual: [Double], layer: Int) -> [Double] {
    let input = norm(residual, weights("blk.\(layer).ffn_norm"))
    func part(_ name: String) -> ArraySlice<Double> {
      let all = weights("blk.\(layer).\(name)")
      let size = all.count / experts
      return all[index * size..<(index + 1) * size]
    }
    let gate = multiply(part("ffn_gate_exps"), input)
    let up = multiply(part("ffn_up_exps"), input)
    return multiply(part("ffn_down_exps"), zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 })
  }

  /// Residual row after the experts of a layer.
  func fed(_ residual: [Double], layer: Int) -> [Double] {
    routed(residual, layer: layer).reduce(into: residual) { sum, choice in
      for (index, value) in expert(choice.expert, residual, layer: layer).enumerated() {
        sum[index] += choice.weight * value
      }
    }
  }

  func logits(_ residual: [Double]) -> [Double] {
    multiply(weights("output")[...], norm(residual, weights("output_norm")))
  }
}

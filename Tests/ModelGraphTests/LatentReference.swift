import Foundation

/// Latent attention as its paper writes it, in float64: every head's keys and values are projected up from the latent
/// vector, none of which the model's own arithmetic does.
///
/// Source: DeepSeek-AI, "DeepSeek-V2" (2024), section 2.1; scores and angles with YaRN as in its published model code.
struct LatentReference {
  private let blocks: Reference
  private let variant: LatentVariant
  /// What tests take away, to see that it matters.
  var scalesScores = true
  var mixesFrequencies = true
  var growsQueries = true
  var normsLatents = true

  init(_ model: TinyModel, _ variant: LatentVariant) {
    blocks = Reference(model)
    self.variant = variant
  }

  func embedding(_ token: Int) -> [Double] { blocks.embedding(token) }

  private func weights(_ name: String, _ layer: Int) -> [Double] { blocks.weights("blk.\(layer).\(name)") }

  /// A matrix of the file times a vector.
  private func project(_ name: String, _ layer: Int, _ vector: [Double]) -> [Double] {
    blocks.multiply(weights(name, layer)[...], vector)
  }

  /// Turns of a pair for each position.
  private func frequency(_ pair: Int) -> Double {
    let size = Double(variant.rotated)
    let plain = pow(variant.rotaryBase, -2 * Double(pair) / size)
    guard mixesFrequencies else { return plain }
    func bound(_ turns: Double) -> Double {
      size * log(Double(variant.originalContext) / (turns * 2 * Double.pi)) / (2 * log(variant.rotaryBase))
    }
    let low = max(0, bound(32).rounded(.down))
    let high = min(size - 1, bound(1).rounded(.up))
    let slowed = min(1, max(0, (Double(pair) - low) / (high - low)))
    return plain * (1 - slowed) + plain / variant.yarnFactor * slowed
  }

  /// Neighbours are turned together; cosines and sines are not enlarged, as `mscale` is `mscale_all_dim`.
  private func turned(_ part: ArraySlice<Double>, position: Int) -> [Double] {
    var result = Array(part)
    for pair in 0..<variant.rotated / 2 {
      let angle = Double(position) * frequency(pair)
      let (x, y) = (result[2 * pair], result[2 * pair + 1])
      result[2 * pair] = x * cos(angle) - y * sin(angle)
      result[2 * pair + 1] = x * sin(angle) + y * cos(angle)
    }
    return result
  }

  /// Factor of a row's scores.
  private func scale(position: Int) -> Double {
    var scale = 1 / Double(variant.plain + variant.rotated).squareRoot()
    if scalesScores { scale *= pow(1 + 0.1 * variant.magnitude * log(variant.yarnFactor), 2) }
    if growsQueries, let temperature = variant.temperature {
      scale *= 1 + temperature.scale * log(1 + (Double(position) / Double(temperature.length)).rounded(.down))
    }
    return scale
  }

  /// Query heads of a normed row, the last elements of each turned.
  private func queries(_ input: [Double], _ layer: Int, position: Int) -> [[Double]] {
    let all =
      variant.queryRank == nil
      ? project("attn_q", layer, input)
      : project("attn_q_b", layer, blocks.norm(project("attn_q_a", layer, input), weights("attn_q_a_norm", layer)))
    let size = variant.plain + variant.rotated
    return (0..<variant.heads).map { head in
      let query = all[head * size..<(head + 1) * size]
      return Array(query.prefix(variant.plain)) + turned(query.suffix(variant.rotated), position: position)
    }
  }

  /// Key and value heads of a normed row.
  private func keysAndValues(
    _ input: [Double], _ layer: Int, position: Int
  ) -> [(key: [Double], value: [Double])] {
    let both = project("attn_kv_a_mqa", layer, input)
    let (rank, plain) = (variant.keyValueRank, variant.plain)
    let narrow = Array(both.prefix(rank))
    let latent = normsLatents ? blocks.norm(narrow, weights("attn_kv_a_norm", layer)) : narrow
    let shared = turned(both.suffix(variant.rotated), position: position)
    // The file has the keys' projection transposed, each head by itself: [heads, rank, plain].
    let keyUp = weights("attn_k_b", layer)
    let values = project("attn_v_b", layer, latent)
    return (0..<variant.heads).map { head in
      let key = (0..<plain).map { element in
        (0..<rank).reduce(0.0) { $0 + keyUp[(head * rank + $1) * plain + element] * latent[$1] }
      }
      return (key + shared, Array(values[head * variant.valueSize..<(head + 1) * variant.valueSize]))
    }
  }

  /// Residual rows, of positions from 0 on, after the attention of a layer.
  func attended(_ rows: [[Double]], layer: Int) -> [[Double]] {
    var cached: [[(key: [Double], value: [Double])]] = []
    return rows.enumerated().map { position, residual in
      let input = blocks.norm(residual, weights("attn_norm", layer))
      cached.append(keysAndValues(input, layer, position: position))
      let scale = scale(position: position)
      let output = queries(input, layer, position: position).enumerated().flatMap { head, query in
        let scores = cached.map { scale * zip(query, $0[head].key).reduce(0) { $0 + $1.0 * $1.1 } }
        let highest = scores.max() ?? 0
        let powers = scores.map { exp($0 - highest) }
        let sum = powers.reduce(0, +)
        return (0..<variant.valueSize).map { element in
          zip(powers, cached).reduce(0) { $0 + $1.0 / sum * $1.1[head].value[element] }
        }
      }
      return zip(residual, project("attn_output", layer, output)).map(+)
    }
  }

  /// The experts chosen for a row, best first, and their weights.
  func routed(_ residual: [Double], layer: Int) -> [(expert: Int, weight: Double)] {
    let scores = project("ffn_gate_inp", layer, blocks.norm(residual, weights("ffn_norm", layer)))
    let powers = scores.map { exp($0) }
    let gates = variant.gatesBySigmoid ? powers.map { $0 / (1 + $0) } : powers.map { $0 / powers.reduce(0, +) }
    let best = variant.gatesBySigmoid ? bestOfGroups(zip(gates, weights("exp_probs_b.bias", layer)).map(+)) : gates
    let experts = best.indices.sorted { (best[$1], $0) < (best[$0], $1) }.prefix(variant.chosen)
    let sum = variant.normalisesWeights ? experts.reduce(0) { $0 + gates[$1] } : 1
    return experts.map { ($0, variant.weightScale * gates[$0] / sum) }
  }

  /// Takes away the experts outside the groups whose two best are the largest together.
  private func bestOfGroups(_ values: [Double]) -> [Double] {
    let size = variant.experts / variant.groups
    let ranks = (0..<variant.groups).map { group in
      values[group * size..<(group + 1) * size].sorted(by: >).prefix(2).reduce(0, +)
    }
    let groups = ranks.indices.sorted { ranks[$0] > ranks[$1] }.prefix(variant.groupsUsed)
    return values.indices.map { groups.contains($0 / size) ? values[$0] : -.infinity }
  }
}

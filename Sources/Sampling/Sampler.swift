public import Kernels
public import Scheduling
public import Tensors

/// Chooses tokens from logits.
///
/// The stages, in the order of llama.cpp's default chain: penalties (and the mask), top-k, top-p, min-p, temperature,
/// draw. Equal logits rank by the lower token id. Penalties are float32; weights are float64 exponentials of the
/// difference to the highest logit, summed in order of rank. Sums over the whole vocabulary (log-probabilities, and
/// top-p without top-k) are those of `BlockWeights`, which also draws, in order of ids, when nothing is cut off. The
/// result depends on the arguments alone, to the bit.
///
/// Keeps scratch memory: after the first tokens nothing is allocated. For one thread at a time.
public final class Sampler {
  private var blockWeights: BlockWeights
  private var candidates = Candidates()
  /// The tokens that are left to draw from, best first, and their weights.
  private var kept: [Candidates.Candidate] = []
  private var weights: [Double] = []
  /// Logits that penalties and mask may change.
  private var adjusted = AlignedBuffer(byteCount: 0)
  /// How often each token occurs in the penalty window; all zero between calls.
  private var occurrences: [Float] = []

  /// - Parameter kernels: used for the sums of log-probabilities; by default the fastest of this machine. All give the
  ///   same bits.
  public init(kernels: Kernels? = nil) {
    guard let kernels = kernels ?? (try? Kernels.select()) else {
      preconditionFailure("the scalar kernels run on every machine")
    }
    blockWeights = BlockWeights(kernels: kernels)
  }

  /// Chooses the token of a position.
  ///
  /// - Parameters:
  ///   - logits: one for each token of the vocabulary, as the model gave them.
  ///   - history: the tokens before `position`, the last one last; the last `penaltyWindow` of them count. Ids outside
  ///     the vocabulary count for nothing.
  ///   - position: of the token that is chosen; with the seed it decides the draw.
  ///   - mask: excludes tokens.
  /// - Throws: when a parameter is out of range, a logit is not finite or the mask leaves nothing.
  public func sample(
    logits: UnsafeBufferPointer<Float>, parameters: SamplingParameters, history: [TokenID], position: Int,
    mask: (any LogitMask)? = nil
  ) throws(SamplingError) -> SampledToken {
    do { try parameters.validate() } catch { throw SamplingError(.badParameters, error.message) }
    guard !logits.isEmpty, UInt32(exactly: logits.count) != nil else {
      throw SamplingError(.badLogits, "there are \(logits.count) logits; a token is chosen from 1 to \(UInt32.max)")
    }
    guard LogitScan.areFinite(logits) else { throw Self.nonFinite(logits) }
    let largest = LogitScan.largest(logits)
    let sum = blockWeights.sum(logits, highest: largest, temperature: 1)
    var scores = logits
    if parameters.hasPenalties || mask != nil {
      let changed = copy(logits)
      if parameters.hasPenalties { penalize(changed, parameters, history) }
      mask?.exclude(from: changed, position: position)
      scores = UnsafeBufferPointer(changed)
    }
    let token = try choose(scores, parameters, position)
    return SampledToken(
      token: TokenID(UInt32(token)),
      logProbability: Float(Double(logits[token]) - Double(largest) - Maths.log(sum)))
  }

  private func choose(
    _ scores: UnsafeBufferPointer<Float>, _ parameters: SamplingParameters, _ position: Int
  ) throws(SamplingError) -> Int {
    let highest = LogitScan.largest(scores)
    guard highest > -.infinity else {
      throw SamplingError(.nothingAllowed, "the mask excludes every token at position \(position)")
    }
    guard parameters.temperature > 0 else { return scores.firstIndex(of: highest) ?? 0 }
    let draw = Draw.uniform(seed: parameters.seed, position: position)
    let isLimited = parameters.topK > 0 && parameters.topK < scores.count
    if !isLimited && parameters.topP == 1 && parameters.minP == 0 {
      return blockWeights.token(at: draw, scores, highest: highest, temperature: parameters.temperature)
    }
    keep(scores, highest: highest, parameters, isLimited: isLimited)
    weights.removeAll(keepingCapacity: true)
    var total = 0.0
    for candidate in kept {
      let weight = Maths.exp((Double(candidate.logit) - Double(highest)) / Double(parameters.temperature))
      weights.append(weight)
      total += weight
    }
    var sum = 0.0
    for index in kept.indices {
      sum += weights[index]
      if sum > draw * total { return kept[index].token }
    }
    return kept.last?.token ?? 0
  }

  /// Fills `kept` with what top-k, top-p and min-p leave; the best token always stays.
  private func keep(
    _ scores: UnsafeBufferPointer<Float>, highest: Float, _ parameters: SamplingParameters, isLimited: Bool
  ) {
    candidates.collect(scores, limit: parameters.topK)
    kept.removeAll(keepingCapacity: true)
    var total = 0.0
    if isLimited {
      while let candidate = candidates.removeBest() {
        kept.append(candidate)
        total += Maths.exp(Double(candidate.logit) - Double(highest))
      }
    } else if parameters.topP < 1 {
      total = blockWeights.sum(scores, highest: highest, temperature: 1)
    }
    var count = 0
    var sum = 0.0
    while count < kept.count || keepNext() {
      let weight = Maths.exp(Double(kept[count].logit) - Double(highest))
      if weight < Double(parameters.minP) { break }
      count += 1
      sum += weight
      if parameters.topP < 1 && sum >= Double(parameters.topP) * total { break }
    }
    kept.removeLast(kept.count - count)
  }

  /// Takes the next best of the candidates, of which only as many are ranked as are looked at.
  private func keepNext() -> Bool {
    guard let candidate = candidates.removeBest() else { return false }
    kept.append(candidate)
    return true
  }

  private func copy(_ logits: UnsafeBufferPointer<Float>) -> UnsafeMutableBufferPointer<Float> {
    let byteCount = logits.count * MemoryLayout<Float>.stride
    if adjusted.byteCount < byteCount { adjusted = AlignedBuffer(byteCount: byteCount) }
    let copy = UnsafeMutableBufferPointer(start: adjusted.floats, count: logits.count)
    _ = copy.update(from: logits)
    return copy
  }

  /// Lowers (or, with parameters of the other sign, raises) the logits of tokens in the penalty window, as llama.cpp
  /// does: first the repeat penalty, then `count * frequencyPenalty + presencePenalty` is taken off.
  private func penalize(
    _ logits: UnsafeMutableBufferPointer<Float>, _ parameters: SamplingParameters, _ history: [TokenID]
  ) {
    if occurrences.count < logits.count { occurrences = [Float](repeating: 0, count: logits.count) }
    let window = history.suffix(parameters.penaltyWindow)
    for token in window where Int(token.rawValue) < logits.count { occurrences[Int(token.rawValue)] += 1 }
    for token in window where Int(token.rawValue) < logits.count {
      let index = Int(token.rawValue)
      let count = occurrences[index]
      // A token that occurs again was dealt with at its first occurrence.
      guard count > 0 else { continue }
      occurrences[index] = 0
      let logit = logits[index]
      let repeated = logit > 0 ? logit / parameters.repeatPenalty : logit * parameters.repeatPenalty
      let lowered = repeated - (count * parameters.frequencyPenalty + parameters.presencePenalty)
      logits[index] = max(-.greatestFiniteMagnitude, min(lowered, .greatestFiniteMagnitude))
    }
  }

  private static func nonFinite(_ logits: UnsafeBufferPointer<Float>) -> SamplingError {
    let index = logits.firstIndex { !$0.isFinite } ?? 0
    let token = TokenID(UInt32(truncatingIfNeeded: index))
    return SamplingError(
      .nonFiniteLogit(token),
      "the logit of token \(token) is \(logits[index]); the model's weights or its input are damaged")
  }
}

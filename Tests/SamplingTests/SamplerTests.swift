import Kernels
import Scheduling
import Tensors
import Testing

@testable import Sampling

@Suite("Sampler")
struct SamplerTests {
  private let sampler = Sampler()

  private func sample(
    _ logits: [Float], _ parameters: SamplingParameters, history: [TokenID] = [], position: Int = 0,
    mask: (any LogitMask)? = nil
  ) throws(SamplingError) -> SampledToken {
    try logits.withUnsafeBufferPointer { buffer throws(SamplingError) in
      try sampler.sample(logits: buffer, parameters: parameters, history: history, position: position, mask: mask)
    }
  }

  /// How often each token is drawn over positions 0..<count.
  private func histogram(_ logits: [Float], _ parameters: SamplingParameters, count: Int) throws -> [Int] {
    var counts = [Int](repeating: 0, count: logits.count)
    for position in 0..<count { counts[Int(try sample(logits, parameters, position: position).token.rawValue)] += 1 }
    return counts
  }

  /// No stage but the temperature.
  private func plain(_ temperature: Float = 1, seed: UInt64 = 0) -> SamplingParameters {
    SamplingParameters(temperature: temperature, topK: 0, topP: 1, repeatPenalty: 1, seed: seed)
  }

  @Test("greedy takes the highest logit, of equal ones the lowest id")
  func greedy() throws {
    #expect(try sample([0, 3, -1, 3], .greedy).token == 1)
    #expect(try sample([-5], .greedy).token == 0)
    #expect(try sample([-0.0, 0.0], .greedy).token == 0)
    #expect(try sample([0.0, -0.0], .greedy).token == 0)
    #expect(try sample([-3, -2, -2], .greedy).token == 1)
    var logits = [Float](repeating: 1, count: 200_000)
    logits[199_999] = 2
    #expect(try sample(logits, .greedy).token == 199_999)
  }

  @Test("seeds, prompt and position have no part in greedy; stages that rank have none either")
  func greedyIgnores() throws {
    var parameters = SamplingParameters(temperature: 0, repeatPenalty: 1)
    for seed in UInt64(0)..<20 {
      parameters.seed = seed
      parameters.topP = 0
      #expect(try sample([1, 2, 1.5], parameters, history: [1], position: Int(seed)).token == 1)
    }
  }

  @Test("the log-probability is that of the full softmax, whatever the stages do")
  func logProbability() throws {
    // Logits ln 1, ln 2, ln 5: probabilities 1/8, 2/8, 5/8.
    let logits: [Float] = [0, 0.6931472, 1.609438]
    var parameters = SamplingParameters(temperature: 0.2, topK: 1, topP: 0.1, repeatPenalty: 2)
    #expect(abs(try sample(logits, parameters).logProbability - -0.4700036) < 1e-6)
    parameters.temperature = 0
    parameters.presencePenalty = 50
    let other = try sample(logits, parameters, history: [2])
    #expect(other.token == 1)
    #expect(abs(other.logProbability - -1.3862944) < 1e-6)
  }

  @Test("log-probabilities of large vocabularies are exact, also for improbable tokens and huge logits")
  func logProbabilityLarge() throws {
    let flat = [Float](repeating: -7, count: 150_000)
    #expect(abs(try sample(flat, .greedy).logProbability - -11.918390) < 2e-6)
    // The sum of exp(-i / 1000) over 20000 ids is (1 - e^-20) / (1 - e^-0.001) = 1000.500081...
    let falling = (0..<20_000).map { Float(-Double($0) / 1000) }
    #expect(abs(try sample(falling, .greedy).logProbability - -6.908255) < 2e-5)
    #expect(abs(try sample(falling.reversed(), .greedy).logProbability - -6.908255) < 2e-5)
    #expect(try sample([3e38, -3e38], .greedy).logProbability == 0)
    struct OnlyFirst: LogitMask {
      func exclude(from logits: UnsafeMutableBufferPointer<Float>, position: Int) { logits[1] = -.infinity }
    }
    #expect(abs(try sample([-200, 0], .greedy, mask: OnlyFirst()).logProbability - -200) < 1e-4)
  }

  @Test("top-k of 1, top-p of 0 and min-p of 1 all leave the best token", arguments: 0..<20)
  func onlyBest(position: Int) throws {
    let logits: [Float] = [1, 2, 1.9, 2]
    var parameters = plain(10)
    parameters.topK = 1
    #expect(try sample(logits, parameters, position: position).token == 1)
    parameters = plain(10)
    parameters.topP = 0
    #expect(try sample(logits, parameters, position: position).token == 1)
    parameters.topK = 3
    #expect(try sample(logits, parameters, position: position).token == 1)
    parameters = plain(10)
    parameters.minP = 1
    #expect([1, 3].contains(try sample(logits, parameters, position: position).token))
  }

  @Test("of equal logits top-k keeps the lowest ids")
  func topKTies() throws {
    var parameters = plain()
    parameters.topK = 3
    let counts = try histogram([1, 1, 1, 1, 1, 1], parameters, count: 600)
    #expect(counts[3...] == [0, 0, 0])
    #expect(counts[..<3].allSatisfy { $0 > 120 })
  }

  @Test("top-p keeps the fewest tokens that come to its share, counted after top-k and before temperature")
  func topP() throws {
    // Probabilities 0.5, 0.3, 0.15, 0.05 in ids 2, 0, 3, 1.
    let logits: [Float] = [-1.2039728, -2.9957323, -0.6931472, -1.8971200]
    func drawn(_ topK: Int, _ topP: Float, _ temperature: Float = 5) throws -> Set<Int> {
      var parameters = plain(temperature)
      parameters.topK = topK
      parameters.topP = topP
      let counts = try histogram(logits, parameters, count: 400)
      return Set(counts.indices.filter { counts[$0] > 0 })
    }
    for topK in [0, 4, 1000] {
      #expect(try drawn(topK, 0.45) == [2])
      #expect(try drawn(topK, 0.55) == [2, 0])
      #expect(try drawn(topK, 0.79) == [2, 0])
      #expect(try drawn(topK, 0.81) == [2, 0, 3])
      #expect(try drawn(topK, 0.96) == [0, 1, 2, 3])
      #expect(try drawn(topK, 0.55, 100) == [2, 0])
    }
    // Of the two that top-k leaves, the first has 0.625 of the probability.
    #expect(try drawn(2, 0.6) == [2])
    #expect(try drawn(2, 0.65) == [2, 0])
  }

  @Test("min-p keeps tokens by their share of the best token's probability")
  func minP() throws {
    let logits: [Float] = [-1.2039728, -2.9957323, -0.6931472, -1.8971200]
    for topK in [0, 4] {
      for (minP, expected) in [
        (Float(0.59), [0, 2]), (0.61, [2]), (0.31, [0, 2]), (0.29, [0, 2, 3]), (0.09, [0, 1, 2, 3]),
      ] {
        var parameters = plain(5)
        parameters.topK = topK
        parameters.minP = minP
        let counts = try histogram(logits, parameters, count: 400)
        #expect(counts.indices.filter { counts[$0] > 0 } == expected)
      }
    }
  }

  @Test("draws follow the probabilities, with and without ranking, at several temperatures")
  func distribution() throws {
    let logits: [Float] = [0.5, -1, 2, 1, 0, 1.5]
    for temperature in [Float(0.5), 1, 2] {
      for ranked in [false, true] {
        var parameters = plain(temperature, seed: ranked ? 5 : 6)
        if ranked { parameters.minP = 1e-6 }
        let total = logits.reduce(0.0) { $0 + Maths.exp(Double($1) / Double(temperature)) }
        let counts = try histogram(logits, parameters, count: 20_000)
        var chiSquare = 0.0
        for (logit, count) in zip(logits, counts) {
          let expected = 20_000 * Maths.exp(Double(logit) / Double(temperature)) / total
          chiSquare += (Double(count) - expected) * (Double(count) - expected) / expected
        }
        // 5 degrees of freedom: above 35 once in a million.
        #expect(chiSquare < 35, "temperature \(temperature), ranked \(ranked)")
      }
    }
  }

  @Test("a draw depends on seed and position, and on nothing that was drawn before")
  func pureDraw() throws {
    let logits = (0..<1000).map { Float($0 % 37) / 10 }
    let parameters = SamplingParameters(topK: 200, topP: 1, seed: 99)
    let forward = try (0..<200).map { try sample(logits, parameters, position: $0) }
    let backward = try (0..<200).reversed().map { try Sampler().tokens(logits, parameters, $0) }
    #expect(forward == backward.reversed())
    var other = parameters
    other.seed = 100
    let otherSeed = try (0..<200).map { try sample(logits, other, position: $0) }
    #expect(otherSeed != forward)
    #expect(Set(forward.map(\.token)).count > 50)
  }

  @Test("every instruction set gives the same token and log-probability")
  func instructionSets() throws {
    var random = SystemIndependentRandom(state: 17)
    let logits = (0..<10_001).map { _ in Float.random(in: -9...9, using: &random) }
    for temperature in [Float(0), 0.8] {
      let results = try Kernels.available.map { set in
        try Sampler(kernels: Kernels.select(set)).tokens(
          logits, SamplingParameters(temperature: temperature, topK: 500, topP: 1, seed: 3), 11)
      }
      #expect(Set(results).count == 1)
    }
  }

  @Test("NaN and infinities of the model are refused naming the token", arguments: [Float.nan, .infinity, -.infinity])
  func nonFinite(value: Float) throws {
    for count in [1, 5, 5000, 9000] {
      for index in [0, count / 2, count - 1] {
        var logits = [Float](repeating: 0, count: count)
        logits[index] = value
        logits[count - 1] = index == count - 1 ? value : .nan
        let error = #expect(throws: SamplingError.self) { try sample(logits, .greedy) }
        #expect(error?.code == .nonFiniteLogit(TokenID(UInt32(index))))
        #expect(error?.description.contains("token \(index) ") == true)
      }
    }
  }

  @Test("no logits and bad parameters are refused")
  func badArguments() {
    #expect(throws: SamplingError.self) { try sample([], .greedy) }
    var parameters = SamplingParameters.greedy
    parameters.topP = .nan
    let error = #expect(throws: SamplingError.self) { try sample([1], parameters) }
    #expect(error?.code == .badParameters)
    #expect(error?.description.contains("topP") == true)
  }
}

extension Sampler {
  /// The token of a position, from an array and without history.
  func tokens(_ logits: [Float], _ parameters: SamplingParameters, _ position: Int) throws -> SampledToken {
    try logits.withUnsafeBufferPointer {
      try sample(logits: $0, parameters: parameters, history: [], position: position)
    }
  }
}

/// A seeded source of random test data.
struct SystemIndependentRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let mixed = (state ^ (state >> 32)) &* 0xD6E8_FEB8_6659_FD93
    return mixed ^ (mixed >> 32)
  }
}

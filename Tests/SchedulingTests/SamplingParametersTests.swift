import Foundation
import Testing

@testable import Scheduling

@Suite("SamplingParameters")
struct SamplingParametersTests {
  @Test("defaults are those of the command line; greedy has no penalties")
  func defaults() throws {
    let parameters = SamplingParameters()
    #expect(parameters.temperature == 0.6 && parameters.topK == 20 && parameters.topP == 0.9 && parameters.minP == 0)
    #expect(parameters.repeatPenalty == 1.1 && parameters.penaltyWindow == 64)
    #expect(parameters.hasPenalties)
    #expect(!SamplingParameters.greedy.hasPenalties)
    #expect(SamplingParameters.greedy.temperature == 0)
    try parameters.validate()
    try SamplingParameters.greedy.validate()
  }

  static let bad: [(String, @Sendable (inout SamplingParameters) -> Void)] = [
    ("temperature", { $0.temperature = .nan }), ("temperature", { $0.temperature = -0.1 }),
    ("temperature", { $0.temperature = .infinity }), ("topK", { $0.topK = -1 }), ("topK", { $0.topK = .max }),
    ("topP", { $0.topP = 1.01 }), ("topP", { $0.topP = -.leastNonzeroMagnitude }), ("topP", { $0.topP = .nan }),
    ("minP", { $0.minP = 2 }), ("minP", { $0.minP = .nan }), ("repeatPenalty", { $0.repeatPenalty = 0 }),
    ("repeatPenalty", { $0.repeatPenalty = -1 }), ("repeatPenalty", { $0.repeatPenalty = .nan }),
    ("frequencyPenalty", { $0.frequencyPenalty = 101 }), ("presencePenalty", { $0.presencePenalty = -.infinity }),
    ("penaltyWindow", { $0.penaltyWindow = -1 }), ("penaltyWindow", { $0.penaltyWindow = 4097 }),
  ]

  @Test("a value out of range is refused by name and range", arguments: bad.indices)
  func ranges(index: Int) {
    let (name, change) = Self.bad[index]
    var parameters = SamplingParameters()
    change(&parameters)
    let error = #expect(throws: SchedulingError.self) { try parameters.validate() }
    #expect(error?.code == .badRequest)
    #expect(error?.description.contains("parameter \(name) is ") == true)
    #expect(error?.description.contains("it must be from ") == true)
  }

  @Test("bounds themselves are good")
  func bounds() throws {
    try SamplingParameters(
      temperature: 100, topK: 0, topP: 0, minP: 1, repeatPenalty: 0.01, frequencyPenalty: -100, presencePenalty: 100,
      penaltyWindow: 4096, seed: .max
    ).validate()
  }

  @Test("parameters come back from JSON, seeds above 2^53 too")
  func json() throws {
    let parameters = SamplingParameters(temperature: 0.7, topK: 3, minP: 0.05, seed: .max)
    let data = try JSONEncoder().encode(parameters)
    #expect(try JSONDecoder().decode(SamplingParameters.self, from: data) == parameters)
  }
}

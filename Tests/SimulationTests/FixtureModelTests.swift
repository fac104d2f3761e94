import Cluster
import ClusterTestKit
import Coordinator
import Foundation
import Kernels
import ModelSpec
import Tensors
import Testing

/// The reference models of the repository, in a cluster.
@Suite struct FixtureModelTests {
  @Test(
    "a cluster answers as one node does, over placements drawn at random",
    arguments: [
      ("qwen3moe-s", "Q8_0"), ("qwen3moe-k", "Q4_K_M"), ("llama-s", "F16"), ("mixtral-s", "Q4_0"),
      ("ministral3-s", "F16"), ("qwen2moe-s", "F16"), ("olmoe-s", "F16"), ("glm4moe-s", "F16"), ("gptoss-s", "F16"),
      ("kimi2-s", "F16"), ("deepseek3-s", "Q4_0"),
    ])
  func fixture(name: String, type: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/\(name)")
    let model = try SimulatedModel(path: folder.appendingPathComponent("\(name)-\(type).gguf").path)
    let vocabulary = UInt32(model.spec.hyperparameters.vocabularySize)
    let requests = Models.requests.map { request in
      var request = request
      if case .tokens(let tokens) = request.prompt {
        request.prompt = .tokens(tokens.map { .init(1 + $0.rawValue % (vocabulary - 1)) })
      }
      return request
    }
    func run(_ options: SimulationOptions) throws -> [SimulatedJob.Answer] {
      let cluster = try SimulatedCluster(model, options)
      let jobs = requests.map { cluster.submit($0) }
      try cluster.run()
      #expect(jobs.allSatisfy { $0.failure == nil })
      expectNothingLeft(cluster)
      return jobs.map(\.answer)
    }
    var alone = SimulationOptions(seed: 1, placement: .whole(model.spec))
    alone.kernels = [.avx512]
    let expected = try run(alone)
    #expect(expected[0].tokens.count == 8 && !expected[2].logitBits.isEmpty)
    for seed in UInt64(1)...3 {
      var random = SeededRandom(seed: seed)
      var options = SimulationOptions(seed: seed, placement: Placement(random: &random, spec: model.spec))
      options.kernels = [.avx2, .scalar, .avx512]
      options.subBatchRows = random.pick([5, 16, 64])
      options.faults = .slow
      #expect(try run(options) == expected, "seed \(seed): \(options.placement)")
    }
  }
}

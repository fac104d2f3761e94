import ClusterTestKit
import Coordinator
import Foundation
import Kernels
import ModelSpec
import Scheduling
import Synchronization
import Tensors

/// The models of these tests and what one node, alone, answers with them.
enum Models {
  static let small = Result { try SimulatedModel(.small) }
  static let mixed = Result { try SimulatedModel(.mixed) }
  static let wide = Result { try SimulatedModel(.wide) }

  /// The same for every test and model: prompts that end in the middle of a KV block or cross into the next one,
  /// different ways to sample, an answer of logits.
  static let requests: [JobRequest] = {
    var random = SeededRandom(seed: 77)
    func prompt(_ count: Int) -> JobRequest.Prompt {
      .tokens((0..<count).map { _ in TokenID(UInt32(random.next(below: 256))) })
    }
    return [
      JobRequest(prompt: prompt(61), parameters: .greedy, maxTokens: 8, ignoreEOS: true),
      JobRequest(prompt: prompt(9), parameters: SamplingParameters(seed: 5), maxTokens: 10, ignoreEOS: true),
      JobRequest(prompt: prompt(20), logitRows: 5),
      JobRequest(
        prompt: prompt(34),
        parameters: SamplingParameters(temperature: 1, topK: 0, topP: 1, frequencyPenalty: 0.5, seed: 9),
        maxTokens: 6, ignoreEOS: true),
    ]
  }()

  /// Everything on one node.
  static func alone(_ model: SimulatedModel, seed: UInt64 = 1) -> SimulationOptions {
    let hyperparameters = model.spec.hyperparameters
    return SimulationOptions(
      seed: seed,
      placement: .init(
        nodes: 1, [(0..<hyperparameters.layerCount, 0, ["0-\(hyperparameters.expertCount - 1)"])]))
  }

  /// The cluster of the issue: three nodes, two stages, shares that overlap, two hosts with each other's experts.
  static func threeNodes(_ model: SimulatedModel, seed: UInt64) -> SimulationOptions {
    let layers = model.spec.hyperparameters.layerCount
    let last = model.spec.hyperparameters.expertCount - 1
    var options = SimulationOptions(
      seed: seed,
      placement: .init(
        nodes: 3,
        [
          (0..<layers / 2, 0, ["0", "1-2", "3-\(last)"]), (layers / 2..<layers, 1, ["0-2", "2-\(last)", "4-\(last)"]),
        ]))
    options.kernels = [.avx2, .scalar, .avx512]
    options.subBatchRows = 16
    return options
  }

  /// Three nodes and one stage, whose host is sent steps ahead; of every expert but one the others have replicas.
  static func oneStage(_ model: SimulatedModel, seed: UInt64) -> SimulationOptions {
    let last = model.spec.hyperparameters.expertCount - 1
    var options = threeNodes(model, seed: seed)
    options.placement = .init(
      nodes: 3, [(0..<model.spec.hyperparameters.layerCount, 0, ["0-2", "1-\(last)", "3-\(last)"])])
    return options
  }

  private struct Key: Hashable {
    let model: String
    let kvType: KVType
    let combine: CombineMode
    let request: Int
  }
  private static let answers = Mutex<[Key: SimulatedJob.Answer]>([:])

  /// What `requests[index]` comes to on one node with the fastest kernels, the prompt in one pass, nothing beside it.
  static func answer(
    _ index: Int, _ model: SimulatedModel, kvType: KVType = .f16, combine: CombineMode = .exact
  ) throws -> SimulatedJob.Answer {
    let key = Key(model: model.path, kvType: kvType, combine: combine, request: index)
    if let known = answers.withLock({ $0[key] }) { return known }
    var options = alone(model)
    options.kernels = [Kernels.available.last ?? .scalar]
    options.subBatchRows = 512
    options.kvType = kvType
    options.combine = combine
    let cluster = try SimulatedCluster(model, options)
    let job = cluster.submit(requests[index])
    try cluster.run()
    let answer = job.answer
    answers.withLock { $0[key] = answer }
    return answer
  }
}

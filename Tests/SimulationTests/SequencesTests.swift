import ClusterTestKit
import Coordinator
import Kernels
import Scheduling
import Tensors
import Testing

/// Jobs side by side: more than fit, longer than a step, cancelled, refused.
@Suite struct SequencesTests {
  @Test("more jobs than sequences: those that wait get their turn, and the right answer", arguments: [1, 2, 3])
  func waiting(sequences: Int) throws {
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: UInt64(sequences))
    options.sequences = sequences
    options.prefillChunk = 24
    let cluster = try SimulatedCluster(model, options)
    let indices = (0..<9).map { $0 % Models.requests.count }
    let jobs = indices.map { cluster.submit(Models.requests[$0]) }
    try cluster.run()
    for (index, job) in zip(indices, jobs) {
      let expected = try Models.answer(index, model)
      #expect(job.answer == expected, "job \(index)")
    }
    expectNothingLeft(cluster)
  }

  @Test("a prompt over many chunks and passes, and an answer that fills the context")
  func long() throws {
    let model = try Models.small.get()
    var random = SeededRandom(seed: 3)
    let tokens = (0..<180).map { _ in TokenID(UInt32(random.next(below: 256))) }
    let request = JobRequest(prompt: .tokens(tokens), parameters: SamplingParameters(seed: 3), ignoreEOS: true)
    func run(_ options: SimulationOptions) throws -> SimulatedJob {
      var options = options
      options.context = 200
      options.kernels = [.avx2]
      let cluster = try SimulatedCluster(model, options)
      let job = cluster.submit(request)
      try cluster.run()
      expectNothingLeft(cluster)
      return job
    }
    let alone = try run(Models.alone(model))
    #expect(alone.tokens.count == 20)
    #expect(alone.summary?.stopReason == .length)
    var options = Models.threeNodes(model, seed: 4)
    options.prefillChunk = 50
    options.subBatchRows = 7
    #expect(try run(options).answer == alone.answer)
  }

  @Test(
    "a token that ends an answer ends it, whoever hosts what and whatever is lost; the others go on",
    arguments: [false, true], [nil, "reef", "cove"] as [String?])
  func ending(oneStage: Bool, lost: String?) throws {
    let indices = [1, 3, 0]
    let whole = try indices.map { try Models.answer($0, Models.small.get()).tokens }
    // It comes in the middle of the first answer, and for the first time there.
    let end = try #require(whole[0].indices.dropFirst(3).first { !whole[0].prefix($0).contains(whole[0][$0]) })
    var recipe = ModelRecipe.small
    recipe.endToken = Int(whole[0][end].rawValue)
    let model = try SimulatedModel(recipe)
    let options = oneStage ? Models.oneStage(model, seed: 3) : Models.threeNodes(model, seed: 3)
    let cluster = try SimulatedCluster(model, options)
    let jobs = indices.map { index in
      var request = Models.requests[index]
      request.ignoreEOS = false
      return cluster.submit(request)
    }
    if let lost {
      try cluster.run { jobs[0].tokens.count >= 2 }
      cluster.kill(NodeID(lost))
    }
    try cluster.run()
    for (job, tokens) in zip(jobs, whole) {
      let cut = tokens.firstIndex(of: whole[0][end]).map { Array(tokens[...$0]) }
      #expect(job.tokens == cut ?? tokens)
      #expect(job.summary?.stopReason == (cut == nil ? .length : .stop))
    }
    expectNothingLeft(cluster)
  }

  @Test("a prompt longer than the context is refused; the others go on")
  func tooLong() throws {
    let model = try Models.small.get()
    var options = Models.threeNodes(model, seed: 5)
    options.context = 60
    let cluster = try SimulatedCluster(model, options)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    #expect(jobs[0].failure?.code == .promptTooLong)
    #expect(jobs[0].failure?.message.contains("61") == true)
    for index in 1..<jobs.count {
      let expected = try Models.answer(index, model)
      #expect(jobs[index].answer == expected, "job \(index)")
    }
    expectNothingLeft(cluster)
  }

  @Test("a job cancelled in the middle ends at once; the others do not notice")
  func cancel() throws {
    let model = try Models.small.get()
    let cluster = try SimulatedCluster(model, Models.threeNodes(model, seed: 6))
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run { jobs[1].tokens.count == 3 }
    cluster.cancel(jobs[1])
    try cluster.run()
    let expected = try Models.answer(1, model)
    #expect(jobs[1].summary?.stopReason == .cancelled)
    #expect(jobs[1].tokens == Array(expected.tokens.prefix(jobs[1].tokens.count)))
    #expect(jobs[1].tokens.count < expected.tokens.count)
    for index in [0, 2, 3] {
      let expected = try Models.answer(index, model)
      #expect(jobs[index].answer == expected, "job \(index)")
    }
    expectNothingLeft(cluster)
  }

  @Test("jobs that come and are cancelled at any moment leave nothing behind", arguments: Seeds.upTo(12))
  func comeAndGo(seed: UInt64) throws {
    let model = try Models.small.get()
    var random = SeededRandom(seed: seed)
    var options = Models.threeNodes(model, seed: seed)
    options.kernels = [.avx2]
    options.sequences = random.next(in: 1...3)
    options.prefillChunk = random.pick([3, 16, 64])
    options.faults = .slow
    let cluster = try SimulatedCluster(model, options)
    var open: [(index: Int, job: SimulatedJob)] = []
    var cancelled: [SimulatedJob] = []
    for _ in 0..<14 {
      let index = random.next(below: Models.requests.count)
      open.append((index, cluster.submit(Models.requests[index])))
      var turns = random.next(below: 300)
      try cluster.run {
        turns -= 1
        return turns < 0
      }
      guard random.chance(0.4) else { continue }
      let (_, job) = open.remove(at: random.next(below: open.count))
      cluster.cancel(job)
      cancelled.append(job)
    }
    try cluster.run()
    for (index, job) in open {
      let expected = try Models.answer(index, model)
      #expect(job.answer == expected, "job \(index), \(options)")
    }
    #expect(cancelled.allSatisfy { $0.summary != nil }, "\(options)")
    expectNothingLeft(cluster)
  }
}

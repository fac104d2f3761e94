import Cluster
import ClusterTestKit
import Coordinator
import Kernels
import Tensors
import Testing

/// Law 1 over whole clusters: tokens, log-probabilities and logits are those of one node, bit for bit, whatever the
/// placement, the instruction sets, threads, chunks, neighbours and the order of events.
@Suite struct OneAnswerTests {
  @Test("clusters drawn at random answer as one node does", arguments: Seeds.upTo(60))
  func random(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let model = try random.pick([Models.small, Models.mixed, Models.wide]).get()
    var options = SimulationOptions(seed: seed, placement: Placement(random: &random, spec: model.spec))
    options.kernels = (0..<3).map { _ in random.pick([.scalar, .avx2, .avx2, .avx512]) }
    options.threads = [random.next(in: 1...2), 1]
    options.prefillChunk = random.pick([1, 7, 512])
    options.subBatchRows = random.pick([1, 5, 16, 64])
    options.sequences = random.next(in: 1...4)
    // The smaller one leaves no KV block over.
    options.context = random.pick([72, 256])
    options.kvType = random.pick(KVType.allCases)
    options.combine = random.pick([.exact, .exact, .compact])
    options.faults = random.pick([.none, .slow])
    let main = random.next(below: Models.requests.count)
    let others = random.next(below: 3) == 0 ? [] : Models.requests.indices.filter { $0 != main }
    let cluster = try SimulatedCluster(model, options)
    let indices = ([main] + others).shuffled(using: &random)
    let jobs = indices.map { cluster.submit(Models.requests[$0]) }
    try cluster.run()
    for (index, job) in zip(indices, jobs) {
      #expect(job.failure == nil, "job \(index), \(options)")
      let expected = try Models.answer(index, model, kvType: options.kvType, combine: options.combine)
      #expect(job.answer == expected, "job \(index), \(options)")
    }
    expectNothingLeft(cluster)
  }

  /// Placements that chance may miss.
  static let placements: [(String, Placement)] = [
    (
      "a stage a layer, one host for the outer two",
      .init(
        nodes: 2, [(0..<1, 0, ["0-6"]), (1..<2, 1, ["", "0-6"]), (2..<3, 0, ["0-6"])])
    ),
    (
      "two neighbouring stages on one host",
      .init(
        nodes: 2, [(0..<1, 0, ["0-3", "4-6"]), (1..<3, 0, ["4-6", "0-3"])])
    ),
    (
      "two hosts with nothing but each other's experts",
      .init(
        nodes: 2, [(0..<2, 0, ["", "0-6"]), (2..<3, 1, ["0-6", ""])])
    ),
    (
      "a host without experts, five nodes with them, one of them twice",
      .init(
        nodes: 5, [(0..<3, 0, ["", "0-1", "2,4", "3", "4-6"])])
    ),
    (
      "everything everywhere",
      .init(
        nodes: 3, [(0..<2, 1, ["0-6", "0-6", "0-6"]), (2..<3, 2, ["0-6", "0-6", "0-6"])])
    ),
    ("spare nodes", .init(nodes: 4, [(0..<3, 2, ["", "0-2", "3-6"])])),
  ]

  @Test("placements at the edges answer as one node does", arguments: placements.indices)
  func edges(index: Int) throws {
    let (name, placement) = Self.placements[index]
    let model = try Models.small.get()
    var options = SimulationOptions(seed: UInt64(index), placement: placement)
    options.kernels = [.avx512, .scalar, .avx2]
    options.subBatchRows = 8
    options.faults = .slow
    let cluster = try SimulatedCluster(model, options)
    let jobs = Models.requests.map { cluster.submit($0) }
    try cluster.run()
    for (index, job) in jobs.enumerated() {
      let expected = try Models.answer(index, model)
      #expect(job.answer == expected, "\(name): job \(index)")
    }
    expectNothingLeft(cluster)
  }

  @Test("KV types and ways to combine are used: their answers differ", arguments: [0, 2])
  func differences(request: Int) throws {
    let model = try Models.small.get()
    let exact = try Models.answer(request, model)
    #expect(try Models.answer(request, model, kvType: .f32) != exact)
    #expect(try Models.answer(request, model, combine: .compact) != exact)
  }
}

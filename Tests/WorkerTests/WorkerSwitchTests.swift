import Cluster
import ModelSpec
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Engine
@testable import Worker

/// What changes of placement ask of workers.
@Suite struct WorkerSwitchTests {
  let bench: WorkerBench
  let coordinator: ScriptedCoordinator

  init() throws {
    bench = try WorkerBench()
    coordinator = ScriptedCoordinator(bench)
  }

  private func links(_ names: [String]) throws -> [LinkID] {
    for name in names { try bench.start(name) }
    return names.map { coordinator.greet($0) }
  }

  private var split: Placement { bench.placement(1, ["reef", "cove"], [(0..<3, 0, ["0-3", "4-7"])]) }

  @Test("a worker is prepared only when it has reached its peers, and they it")
  func reach() throws {
    let links = try links(["reef", "cove"])
    #expect(!coordinator.ask(.prepare(bench.order(split)), on: links[0]).isPrepared)
    #expect(coordinator.ask(.prepare(bench.order(split, for: 1)), on: links[1]).isPrepared)
    #expect(coordinator.take(links[0]).isPrepared)
  }

  @Test("a peer that is not there is reported by its number, and the worker is prepared when it comes")
  func unreachable() throws {
    let reef = try links(["reef"])[0]
    let messages = coordinator.ask(.prepare(bench.order(split)), on: reef)
    #expect(messages.unreachable.map(\.node) == [1] && messages.unreachable.first?.epoch == split.epoch)
    #expect(!messages.isPrepared && messages.prepareFailures.isEmpty)
    let cove = try links(["cove"])[0]
    #expect(coordinator.ask(.prepare(bench.order(split, for: 1)), on: cove).isPrepared)
    #expect(coordinator.take(reef).isPrepared)
  }

  @Test(
    "a cable that is cut while a placement is prepared is reported by both, and nobody is prepared until it is healed")
  func cutCable() throws {
    let links = try links(["reef", "cove"])
    bench.network.partition("reef", "cove")
    for (index, link) in links.enumerated() {
      let messages = coordinator.ask(.prepare(bench.order(split, for: index)), on: link)
      #expect(messages.unreachable.map(\.node) == [NodeIndex(1 - index)] && !messages.isPrepared)
    }
    bench.network.heal("reef", "cove")
    bench.drive()
    #expect(links.allSatisfy { coordinator.take($0).isPrepared })
  }

  @Test("the weights of the placement that runs are used while another is prepared, and given back after the switch")
  func runsOn() throws {
    let links = try links(["reef", "cove"])
    coordinator.run(split, on: links)
    let expected = try #require(try DirectEngine(bench).logits(prompt))
    let next = bench.placement(2, ["reef", "cove"], [(0..<3, 0, ["", "0-7"])])
    for (index, link) in links.enumerated() {
      coordinator.send(.prepare(bench.order(next, for: index)), on: link)
    }
    bench.drive()
    #expect(links.allSatisfy { coordinator.take($0).isPrepared })
    let before = bench.workers[0].arena.bytesInUse
    #expect(coordinator.logits(1, prompt, on: links) == expected)
    coordinator.epoch = next.epoch
    for link in links { coordinator.send(.activate(Activate(epoch: next.epoch, movesKeyValues: false)), on: link) }
    bench.drive()
    #expect(bench.workers[0].arena.bytesInUse < before)
    #expect(coordinator.logits(2, prompt, on: links) == expected)
  }

  @Test("whoever is released gives all memory back, answers no step, and takes the next order")
  func release() throws {
    let links = try links(["reef"])
    coordinator.run(bench.single(), on: links)
    let reef = bench.workers[0]
    coordinator.ask(.release(EpochNotice(epoch: PlacementEpoch(rawValue: 1))), on: links[0])
    #expect(reef.shell.running != nil && reef.arena.bytesInUse > 0, "what the notice names goes on")
    coordinator.ask(.release(EpochNotice(epoch: PlacementEpoch(rawValue: 0))), on: links[0])
    #expect(reef.shell.running == nil && reef.shell.held.isEmpty && reef.arena.bytesInUse == 0)
    let step = StepBatch(
      id: StepID(rawValue: 5), phase: .decode,
      entries: [
        StepEntry(sequence: SequenceID(rawValue: 1), position: 0, rowCount: 1, tokens: [1], wanted: .nothing)
      ])
    #expect(coordinator.ask(.step(StepStart(batch: step)), on: links[0]).interruptions.count == 1)
    #expect(coordinator.run(bench.single(2), on: links)[0].isActivated)
    #expect(coordinator.logits(6, prompt, on: links) == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("rows of a lost node go to its replicas; when those are gone too the step is interrupted, not failed")
  func nodeLost() throws {
    let links = try links(["reef", "cove", "sound"])
    let placement = bench.placement(1, ["reef", "cove", "sound"], [(0..<3, 0, ["0-3", "4-7", "4-7"])])
    coordinator.run(placement, on: links)
    let expected = try #require(try DirectEngine(bench).logits(prompt))
    func lose(_ node: NodeIndex, epoch: UInt32 = 1) {
      coordinator.ask(.nodeLost(NodeLost(epoch: PlacementEpoch(rawValue: epoch), node: node)), on: links[0])
    }
    // Of another placement, of itself, and of nobody: nothing happens.
    lose(1, epoch: 2)
    lose(2, epoch: 0)
    lose(0)
    lose(77)
    lose(1)
    let frames = bench.workers[1].data.counters.dataFrames
    #expect(coordinator.logits(1, prompt, on: links) == expected)
    #expect(bench.workers[1].data.counters.dataFrames == frames, "the lost node was asked")
    lose(2)
    let entry = StepEntry(
      sequence: SequenceID(rawValue: 2), position: 0, rowCount: prompt.count, tokens: prompt, wanted: .nothing)
    let batch = StepBatch(id: StepID(rawValue: 2), phase: .prefill, entries: [entry])
    bench.network.cut("reef", "cove")
    bench.network.cut("reef", "sound")
    bench.drive()
    let messages = coordinator.ask(.step(StepStart(batch: batch)), on: links[0])
    #expect(messages.interruptions.count == 1 && messages.stepFailures.count == 1, "\(messages)")
    #expect(bench.workers[0].shell.running?.engine.isIdle == true)
  }

  @Test("use is told for each layer a node hosts, with every choice counted")
  func use() throws {
    let links = try links(["reef", "cove"])
    func ask(_ link: LinkID) -> ExpertUseReport? {
      for case .expertUse(let report) in coordinator.ask(.useRequest, on: link) { return report }
      return nil
    }
    #expect(ask(links[0]) == ExpertUseReport(layers: [], speeds: []))
    coordinator.run(split, on: links)
    _ = coordinator.logits(1, prompt, on: links)
    let report = try #require(ask(links[0]))
    let perToken = bench.spec.hyperparameters.expertsPerToken
    #expect(report.layers.map(\.layer) == [0, 1, 2])
    for layer in report.layers {
      #expect(layer.counts.count == 8 && layer.counts.reduce(0, +) == UInt64(prompt.count * perToken))
    }
    #expect(Set(report.speeds.map(\.node)).isSubset(of: ["reef", "cove"]))
  }

  // MARK: - Keys and values

  private let first = Array(prompt.prefix(38))
  private let rest = Array(prompt.suffix(2))

  /// Half of a prompt under a placement, then the rest under another, to which keys and values move.
  private func move(
    _ from: Placement, _ to: Placement, moves: [KeyValueMove], on links: [LinkID], host: Int,
    meanwhile: () -> Void = {}
  ) throws -> (activations: [[Bool]], logits: [UInt32]?) {
    coordinator.run(from, on: links)
    let entry = StepEntry(
      sequence: SequenceID(rawValue: 1), position: 0, rowCount: first.count, tokens: first, wanted: .nothing)
    let batch = StepBatch(id: StepID(rawValue: 1), phase: .prefill, entries: [entry])
    coordinator.send(.step(StepStart(batch: batch)), on: links[from.stages[0].host.rawValue])
    bench.drive()
    for link in links { _ = coordinator.take(link) }
    let switched = coordinator.run(to, on: links, moves: moves)
    #expect(switched.allSatisfy { $0.activations == [true] })
    meanwhile()
    for (index, link) in links.enumerated() where moves.contains(where: { $0.source == NodeIndex(index) }) {
      coordinator.send(.moveKeyValues(EpochNotice(epoch: to.epoch)), on: link)
    }
    bench.drive()
    let activations = links.map { coordinator.take($0).activations }
    let order = [links[host]] + links
    return (activations, coordinator.logits(2, rest, on: order, sequence: 1, position: first.count))
  }

  @Test("keys and values move to the new host, and the sequence goes on there to the same bits")
  func keyValues() throws {
    let links = try links(["reef", "cove"])
    let to = bench.placement(2, ["reef", "cove"], [(0..<3, 1, ["0-3", "4-7"])])
    let (activations, logits) = try move(
      split, to, moves: [KeyValueMove(layers: 0..<3, source: 0, target: 1)], on: links, host: 1)
    #expect(activations == [[], [true]])
    #expect(logits == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("two hosts hand layers to each other and keep the rest; the sequence goes on to the same bits")
  func crossing() throws {
    let links = try links(["reef", "cove"])
    let from = bench.placement(
      1, ["reef", "cove"], [(0..<1, 0, ["0-7", ""]), (1..<2, 1, ["", "0-7"]), (2..<3, 0, ["0-7", ""])])
    let to = bench.placement(2, ["reef", "cove"], [(0..<2, 0, ["0-7", ""]), (2..<3, 1, ["", "0-7"])])
    let moves = [
      KeyValueMove(layers: 1..<2, source: 1, target: 0), KeyValueMove(layers: 2..<3, source: 0, target: 1),
    ]
    let (activations, logits) = try move(from, to, moves: moves, on: links, host: 0)
    #expect(activations == [[true], [true]])
    #expect(logits == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("keys and values that are lost on the way are told, once; computed anew the bits are the same")
  func lostOnTheWay() throws {
    let links = try links(["reef", "cove"])
    let to = bench.placement(2, ["reef", "cove"], [(0..<3, 1, ["", "0-7"])])
    let (activations, _) = try move(
      split, to, moves: [KeyValueMove(layers: 0..<3, source: 0, target: 1)], on: links, host: 1,
      meanwhile: { bench.network.cut("reef", "cove") })
    #expect(activations == [[], [false]])
    #expect(coordinator.logits(3, prompt, on: [links[1]], sequence: 3) == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("when nothing is to move, the new host begins without and says so once")
  func noMove() throws {
    let links = try links(["reef", "cove"])
    let to = bench.placement(2, ["reef", "cove"], [(0..<3, 1, ["0-3", "4-7"])])
    coordinator.run(split, on: links)
    _ = coordinator.logits(1, prompt, on: links)
    #expect(coordinator.run(to, on: links).map(\.activations) == [[true], [true]])
    #expect(coordinator.ask(.moveKeyValues(EpochNotice(epoch: to.epoch)), on: links[0]).isEmpty)
    #expect(bench.workers[1].shell.running?.engine.keyValueBlocksInUse == 0)
    #expect(coordinator.logits(2, prompt, on: [links[1], links[0]]) == (try DirectEngine(bench).logits(prompt)))
  }
}

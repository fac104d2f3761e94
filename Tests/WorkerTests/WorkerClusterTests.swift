import Cluster
import ModelGraph
import ModelSpec
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Engine
@testable import Worker

/// Several workers: the bits of one, whatever travels, and what happens when something bad does.
@Suite struct WorkerClusterTests {
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

  @Test("experts split over two workers, two and three stages, hosts that hold each other's experts: the bits of one")
  func oneAnswer() throws {
    let expected = try #require(try DirectEngine(bench).logits(prompt))
    let links = try links(["reef", "cove", "sound"])
    let nodes: [NodeID] = ["reef", "cove", "sound"]
    let placements = [
      bench.placement(1, nodes, [(0..<3, 0, ["0-3", "4-7", ""])]),
      bench.placement(2, nodes, [(0..<3, 1, ["0", "", "1-7"])]),
      bench.placement(3, nodes, [(0..<2, 0, ["0-3", "4-7", ""]), (2..<3, 1, ["4-7", "0-3", ""])]),
      bench.placement(
        4, nodes, [(0..<1, 2, ["0-7", "", ""]), (1..<2, 0, ["", "0-7", ""]), (2..<3, 1, ["", "", "0-7"])]),
      bench.placement(
        5, nodes, [(0..<1, 0, ["0-5", "3-7", "2"]), (1..<2, 0, ["0-7", "0-7", ""]), (2..<3, 0, ["7", "0-6", ""])]),
    ]
    for (index, placement) in placements.enumerated() {
      let messages = coordinator.run(placement, on: links, rows: 7 + index)
      #expect(messages.allSatisfy { $0.isActivated }, "placement \(placement.epoch): \(messages)")
      let host = placement.stages[0].host.rawValue
      let order = [links[host]] + links
      #expect(coordinator.logits(UInt64(index + 1), prompt, on: order) == expected, "placement \(placement.epoch)")
      #expect(bench.workers.allSatisfy { $0.shell.running?.engine.isIdle == true })
    }
    guard case .counters(let counters)? = coordinator.ask(.countersRequest, on: links[0]).first else {
      Issue.record("no counters")
      return
    }
    #expect(counters.traffic.roundTrips > 0 && counters.traffic.dataFrames > 0)
    #expect(counters.prefill.roundTrips == counters.traffic.roundTrips && counters.decode == WorkTally())
    #expect(counters.prefill.sentBytes > 0 && counters.prefill.sentBytes <= counters.traffic.dataBytes)
  }

  @Test("a switch is acknowledged when the connections to the peers are up, whether or not they have switched")
  func awaitsPeers() throws {
    let links = try links(["reef", "cove"])
    func prepare(_ epoch: UInt32) -> ControlMessage {
      let placement = bench.placement(epoch, ["reef", "cove"], [(0..<3, 0, ["0-3", "4-7"])])
      for (index, link) in links.enumerated() {
        coordinator.send(.prepare(bench.order(placement, for: index)), on: link)
      }
      bench.drive()
      return .activate(Activate(epoch: placement.epoch, movesKeyValues: false))
    }
    #expect(coordinator.ask(prepare(1), on: links[0]).isActivated)
    let next = prepare(2)
    bench.network.partition("reef", "cove")
    bench.drive()
    #expect(!coordinator.ask(next, on: links[0]).isActivated)
  }

  @Test("a peer that is lost is reported with its number, and the steps that wait for it fail or are given up")
  func peerLost() throws {
    let links = try links(["reef", "cove"])
    coordinator.run(bench.placement(1, ["reef", "cove"], [(0..<3, 0, ["0-3", "4-7"])]), on: links)
    bench.network.cut("reef", "cove")
    bench.drive()
    var lost: [NodeIndex] = []
    for case .peerLost(let message) in coordinator.take(links[0]) { lost.append(message.node) }
    #expect(lost == [1])
    let messages = coordinator.ask(.step(StepStart(batch: prefill(1))), on: links[0])
    #expect(messages.interruptions.count == 1 && messages.stepFailures.count == 1, "\(messages)")
    // The next placement connects anew.
    let next = bench.placement(2, ["reef", "cove"], [(0..<3, 0, ["0-3", "4-7"])])
    #expect(coordinator.run(next, on: links).allSatisfy { $0.isActivated })
    #expect(coordinator.logits(2, prompt, on: links) == (try DirectEngine(bench).logits(prompt)))
  }

  private func prefill(_ step: UInt64) -> StepBatch {
    let entry = StepEntry(
      sequence: SequenceID(rawValue: step), position: 0, rowCount: prompt.count, tokens: prompt, wanted: .nothing)
    return StepBatch(id: StepID(rawValue: step), phase: .prefill, entries: [entry])
  }

  @Test("an expert node that cannot compute fails the step by name, and the next step runs")
  func refusal() throws {
    let links = try links(["reef", "cove"])
    coordinator.run(bench.placement(1, ["reef", "cove"], [(0..<3, 0, ["0-3", "4-7"])]), on: links)
    let cove = try #require(bench.workers.last?.shell.running?.engine.forward)
    let piece = try #require(cove.shard.remove(.expert(1, 5)))
    let entry = StepEntry(
      sequence: SequenceID(rawValue: 1), position: 0, rowCount: prompt.count, tokens: prompt, wanted: .nothing)
    let batch = StepBatch(id: StepID(rawValue: 1), phase: .prefill, entries: [entry])
    let failures = coordinator.ask(.step(StepStart(batch: batch)), on: links[0]).stepFailures
    #expect(failures.count == 1 && failures[0].contains("cove") && failures[0].contains("expert 5 of layer 1"))
    cove.shard.insert(piece)
    let released = [SequenceID(rawValue: 1)]
    #expect(
      coordinator.logits(2, prompt, on: links, released: released) == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("frames of random bytes from a peer leave the worker alive, answering, and computing the same")
  func garbage() throws {
    let reef = try bench.start("reef")
    let link = coordinator.greet("reef")
    let peer = InProcessDataPlane(network: bench.network, node: "cove")
    let placement = bench.placement(1, ["reef", "cove"], [(0..<3, 0, ["0-7", "0"])])
    peer.configure(
      DataPlaneConfiguration(
        node: "cove", cluster: coordinator.cluster, term: coordinator.term, epoch: placement.epoch,
        peers: [DataPeer(index: 0, id: "reef", address: WorkerBench.address("reef"))]))
    coordinator.run(placement, on: [link])
    let expected = try #require(try DirectEngine(bench).logits(prompt))
    var state: UInt64 = 99
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 33
    }
    for round in 0..<600 {
      let type = [FrameType.dispatch, .combine, .handOver, .exchangeFailed, .peerHello][round % 5]
      // Small numbers make counts that could be right; the first bytes are layer, pass and rows.
      let bytes = (0..<Int(next() % 400)).map { index in
        index < 24 && next() % 4 != 0 ? UInt8(next() % 3) * UInt8((index + 1) % 2) : UInt8(next() % 256)
      }
      try peer.send(
        type, to: 0, flags: next() % 2 == 0 ? .prefill : [], stream: next() % 4, payloadBytes: bytes.count
      ) { $0.copyBytes(from: bytes) }
      bench.drive()
    }
    for round in 0..<400 {
      try sendDispatch(from: peer) { next() }
      bench.drive()
      #expect(reef.shell.running?.engine.isIdle == true, "round \(round)")
    }
    var answers = 0
    peer.poll { if case .frame(_, let header, _) = $0, header.type == .combine { answers += 1 } }
    #expect(answers > 0)
    #expect(
      coordinator.ask(.ping(Heartbeat(nonce: 3, progress: 0)), on: link).contains {
        if case .pong = $0 { true } else { false }
      })
    // That peer answers nothing that it is asked; reef has all experts itself.
    coordinator.ask(.nodeLost(NodeLost(epoch: placement.epoch, node: 1)), on: link)
    #expect(coordinator.logits(1000, prompt, on: [link]) == expected)
    #expect(reef.shell.session != nil)
  }

  /// A dispatch with the right layout and contents that may be right too: rows and choices in any number, experts more
  /// than once, sometimes a byte that is off.
  private func sendDispatch(from peer: InProcessDataPlane, _ next: () -> UInt64) throws {
    let rows = 1 + Int(next() % 20)
    let counts = (0..<rows).map { _ in Int(next() % 4) }
    let layout = DispatchLayout(
      rowCount: rows, choiceCount: counts.reduce(0, +), forms: ActivationForms(.int8x32), hiddenSize: 128)
    try peer.send(
      .dispatch, to: 0, flags: next() % 2 == 0 ? .prefill : [], stream: next() % 9, payloadBytes: layout.byteCount
    ) { target in
      let writer = DispatchWriter(target, layout: layout, layer: LayerIndex(Int(next() % 4)), pass: 0, part: 0)
      for row in 0..<rows {
        writer.setRow(row, exponent: -20, choiceCount: counts[row])
        let bytes = (0..<128).map { _ in UInt8(truncatingIfNeeded: next() % 100) }
        writer.activations(.int8x32, row: row).copyMemory(from: bytes, byteCount: 128)
        let scales = (0..<4).map { _ in Float(next() % 5) / 1000 }
        (writer.activations(.int8x32, row: row) + 128).copyMemory(from: scales, byteCount: 16)
      }
      for choice in 0..<layout.choiceCount { writer.setChoice(choice, expert: Int32(next() % 8), weight: 0.5) }
      if next() % 4 == 0 { target[Int(next()) % target.count] = UInt8(truncatingIfNeeded: next()) }
    }
  }
}

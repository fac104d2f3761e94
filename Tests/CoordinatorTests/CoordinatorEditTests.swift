import Cluster
import ModelSpec
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

@Suite("Coordinator and edits of the topology")
struct CoordinatorEditTests {
  private let three: [NodeID] = ["reef", "cove", "sound"]

  private func request(_ text: String, _ count: Int?) -> JobRequest {
    JobRequest(prompt: .text(text), maxTokens: count)
  }

  private func expect(_ job: Recorder<JobEvent>, _ text: String, _ count: Int) {
    #expect(job.summary?.tokens == FakeModel.answer(to: Lab.tokens(text), count: count))
  }

  private func split(_ hosts: [Int]) -> Placement {
    Lab.placement(three, hosts: hosts, experts: ["reef": [0..<2], "cove": [2..<3], "sound": [3..<4]])
  }

  @Test("an edit is prepared while jobs run, then all switch between two steps")
  func accepted() throws {
    let lab = try Lab(nodes: three, hosts: [0, 1])
    let (_, job) = lab.submit(request("abc", 60))
    lab.settle { job.tokens.count > 5 }
    let target = split([2, 1])
    lab.handle.edited(.accepted(lab.desired(target, source: "the file")))
    lab.settle()
    expect(job, "abc", 60)
    #expect(lab.epochs == [1, 2] && lab.topology?.placement?.hasSameShape(as: target) == true)
    #expect(lab.status.elements.contains(.edited) && lab.journal.topologies == ["the file"])
    #expect(lab.topology?.state == .running && lab.topology?.message == "")
    #expect(lab.model.gaps == 0)
  }

  @Test(
    "keys and values go along when that is sooner, and their loss on the way only costs time", arguments: [true, false])
  func keyValues(arrive: Bool) throws {
    let lab = try Lab(nodes: three, hosts: [0])
    let (_, job) = lab.submit(request("a longer prompt to be worth a move", 60))
    lab.settle { job.tokens.count > 5 }
    lab.worker("cove")?.getsKeyValues = arrive
    lab.edit(Lab.placement(three, hosts: [1]))
    lab.settle()
    expect(job, "a longer prompt to be worth a move", 60)
    let kept = lab.status.elements.compactMap { if case .switched(_, _, _, let kept) = $0 { kept } else { nil } }
    #expect(kept == [false, arrive])
    #expect(lab.worker("reef")?.received.contains(.moveKeyValues(EpochNotice(epoch: .init(rawValue: 2)))) == true)
    let moves = lab.worker("reef")?.prepares.last?.moves
    #expect(moves == [KeyValueMove(layers: 0..<1, source: 0, target: 1)])
  }

  @Test("a wrong edit is refused with its reason; what runs stays, and the next good one clears it")
  func refused() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    lab.handle.edited(.refused("line 7: no such node"))
    lab.settle()
    #expect(lab.topology?.state == .refused && lab.topology?.message == "line 7: no such node")
    #expect(lab.status.elements.contains(.refused("line 7: no such node")) && lab.epochs == [1])
    let (_, job) = lab.submit(request("abc", 5))
    lab.settle()
    expect(job, "abc", 5)
    lab.edit(split([1]))
    lab.settle()
    #expect(lab.topology?.state == .running && lab.epochs == [1, 2])
  }

  @Test("an edit for which no node has room is refused with the node; what runs stays")
  func noRoom() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    lab.edit(split([1]), memory: ["cove": 17 << 20])
    lab.settle()
    #expect(lab.topology?.state == .refused && lab.topology?.message.contains("cove") == true)
    #expect(lab.epochs == [1] && lab.journal.topologies.isEmpty)
    #expect(lab.topology?.placement?.firstHost == 0)
  }

  @Test("an edit replaces one that is still being prepared")
  func superseded() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    lab.worker("cove")?.bend = { message in if case .prepare = message { [] } else { nil } }
    lab.edit(split([1]))
    lab.settle()
    #expect(lab.topology?.state == .preparing && lab.epochs == [1])
    lab.worker("cove")?.bend = { _ in nil }
    let last = Lab.placement(three, hosts: [2])
    lab.edit(last)
    lab.settle()
    #expect(lab.epochs == [1, 3] && lab.topology?.placement?.hasSameShape(as: last) == true)
    // What a node says of the one that was given up changes nothing.
    lab.worker("cove")?.send(.prepared(Prepared(epoch: PlacementEpoch(rawValue: 2), bytesMoved: 1)))
    lab.settle()
    #expect(lab.epochs == [1, 3])
  }

  @Test("a node that is taken out is let go after the switch, not before; one that is put in is reached")
  func nodesInAndOut() throws {
    let lab = try Lab(nodes: three, hosts: [0], otherNodes: ["bay"])
    let (_, job) = lab.submit(request("abc", 60))
    lab.settle { job.tokens.count > 5 }
    let target = Lab.placement(["reef", "bay", "cove"], hosts: [1])
    lab.worker("bay")?.bend = { message in if case .prepare = message { [] } else { nil } }
    lab.edit(target)
    lab.settle { lab.worker("bay")?.prepares.count == 1 }
    #expect(lab.worker("sound")?.isConnected == true)
    #expect(!lab.status.elements.contains(.dismissed("sound")))
    lab.settle()
    lab.worker("bay")?.bend = { _ in nil }
    let epoch = try #require(lab.worker("bay")?.prepares.last?.placement.epoch)
    lab.worker("bay")?.send(.prepared(Prepared(epoch: epoch, bytesMoved: 5)))
    lab.settle()
    expect(job, "abc", 60)
    #expect(lab.status.elements.contains(.dismissed("sound")) && lab.worker("sound")?.isConnected == false)
    #expect(lab.worker("sound")?.received.contains { if case .release = $0 { true } else { false } } == true)
    #expect(lab.topology?.nodes.map(\.node) == ["bay", "cove", "reef"])
    #expect(lab.topology?.placement?.hasSameShape(as: target) == true)
  }

  @Test("a node whose address was edited is reached there")
  func newAddress() throws {
    let lab = try Lab(nodes: three, hosts: [0], otherNodes: ["bay"])
    lab.settle()
    lab.kill("cove")
    // Whoever listens at bay's address is cove from now on.
    lab.handle.edited(.accepted(lab.desired(Lab.placement(three, hosts: [0]), addresses: ["cove": Lab.address(3)])))
    lab.settle()
    let (_, job) = lab.submit(request("abc", 5))
    lab.settle()
    expect(job, "abc", 5)
    #expect(lab.worker("bay")?.isConnected == true)
    #expect(lab.topology?.nodes.first { $0.node == "cove" }?.address == "node:7004")
    #expect(lab.topology?.state == .running)
  }

  @Test("a local node that is edited away is stopped")
  func localLeaves() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0], localNodes: ["cove"])
    lab.settle()
    lab.handle.nodeListens("cove", at: Lab.address(1))
    lab.settle()
    lab.edit(Lab.placement(["reef"], hosts: [0]))
    lab.settle()
    #expect(lab.local.calls == [.start("cove", ["worker"]), .stop("cove")])
  }

  @Test("what does not fit beside the old pieces goes in waves, each a whole switch; the tokens are the same")
  func waves() throws {
    // Host: embedding, output, trunk and two experts; each node may hold one expert more than it has.
    let nodes: [NodeID] = ["reef", "cove"]
    let from = Lab.placement(nodes, hosts: [0], experts: ["reef": [0..<2], "cove": [2..<4]])
    let to = Lab.placement(nodes, hosts: [0], experts: ["reef": [2..<4], "cove": [0..<2]])
    let lab = try Lab(nodes: nodes, hosts: [0], placement: from)
    let (_, job) = lab.submit(request("abc", 60))
    lab.settle { job.tokens.count > 5 }
    let core = try #require(lab.shell.core)
    let plan = MemoryPlan(
      placement: from, facts: core.configuration.model.facts, sizes: core.configuration.model.sizes,
      context: core.configuration.context, sequences: 4, rows: core.configuration.subBatchRows)
    let memory = Dictionary(
      uniqueKeysWithValues: zip(nodes, plan.shares.map { $0.totalBytes + Lab.pieceBytes + 1000 }))
    lab.edit(to, memory: memory)
    lab.settle()
    expect(job, "abc", 60)
    #expect(lab.epochs.count > 2, "it went at once")
    #expect(lab.topology?.placement?.hasSameShape(as: to) == true && lab.topology?.state == .running)
    for worker in lab.workers {
      for prepare in worker.prepares { #expect(prepare.pieces.count <= 6, "\(worker.node)") }
    }
  }

  @Test("while something runs, a node that cannot get ready puts the edit off; it is tried again")
  func prepareFailedWhileRunning() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    lab.worker("cove")?.bend = { message in
      guard case .prepare(let prepare) = message else { return nil }
      return [.prepareFailed(PrepareFailed(epoch: prepare.placement.epoch, sentence: "no space left"))]
    }
    let target = split([1])
    lab.edit(target)
    lab.settle()
    #expect(lab.epochs == [1] && lab.topology?.state == .preparing)
    #expect(lab.topology?.message.contains("no space left") == true)
    let (_, job) = lab.submit(request("abc", 5))
    lab.settle()
    expect(job, "abc", 5)
    lab.worker("cove")?.bend = { _ in nil }
    lab.pass(.seconds(14), by: .seconds(1))
    #expect(lab.epochs == [1])
    lab.pass(.seconds(2), by: .seconds(1))
    #expect(lab.topology?.placement?.hasSameShape(as: target) == true && lab.topology?.state == .running)
  }

  @Test("while nothing runs, a node that cannot get ready is done without")
  func prepareFailedAtStart() throws {
    let lab = try Lab(nodes: three, hosts: [0]) { $0.bringUp = .patient }
    let worker = try #require(lab.worker("sound"))
    worker.bend = { message in
      guard case .prepare(let prepare) = message else { return nil }
      return [.prepareFailed(PrepareFailed(epoch: prepare.placement.epoch, sentence: "no space left"))]
    }
    lab.settle()
    #expect(lab.failure == nil && lab.isReady && lab.topology?.state == .preparing)
    #expect(lab.topology?.nodes.first { $0.node == "sound" }?.reason.contains("no space left") == true)
    worker.bend = { _ in nil }
    lab.pass(.seconds(16), by: .seconds(1))
    #expect(lab.topology?.state == .running)
  }

  @Test("two nodes that cannot reach each other are placed so that they need not talk")
  func apart() throws {
    let placement = Lab.placement(three, hosts: [0], experts: ["cove": [0..<2], "sound": [2..<4]])
    let lab = try Lab(nodes: three, hosts: [0], placement: placement) { $0.bringUp = .patient }
    lab.worker("reef")?.bend = { message in
      guard case .prepare(let prepare) = message, prepare.placement.epoch.rawValue == 1 else { return nil }
      return [.peerUnreachable(PeerUnreachable(epoch: prepare.placement.epoch, node: 1, sentence: "no route"))]
    }
    lab.settle()
    let now = try #require(lab.topology?.placement)
    let (reef, cove) = (try #require(now.index(of: "reef")), try #require(now.index(of: "cove")))
    #expect(!now.peers(of: reef).contains(cove))
    #expect(lab.isReady && lab.topology?.state == .preparing)
    lab.pass(.seconds(16), by: .seconds(1))
    #expect(lab.topology?.placement?.hasSameShape(as: placement) == true)
  }

  @Test("a patient start waits for its nodes, says for which, and begins when they come")
  func patient() throws {
    let lab = try Lab(nodes: three, hosts: [0], missing: ["reef", "cove", "sound"]) { $0.bringUp = .patient }
    let (_, job) = lab.submit(request("abc", 5))
    lab.pass(.seconds(30), by: .seconds(1))
    #expect(lab.failure == nil && !lab.isReady && job.endCount == 0)
    #expect(lab.topology?.state == .preparing && lab.topology?.placement == nil && lab.topology?.epoch.rawValue == 0)
    #expect(three.allSatisfy { lab.topology?.message.contains($0.rawValue) == true })
    lab.startWorker("cove")
    lab.pass(.seconds(5), by: .milliseconds(500))
    expect(job, "abc", 5)
    #expect(lab.isReady && lab.topology?.state == .preparing)
    lab.startWorker("reef")
    lab.startWorker("sound")
    lab.pass(.seconds(5), by: .milliseconds(500))
    #expect(lab.topology?.state == .running && lab.topology?.placement?.firstHost == 0)
  }

  @Test("a start with a wrong file says so until a good one is saved")
  func refusedAtStart() throws {
    let lab = try Lab { $0.refusal = "line 2: no" }
    lab.settle()
    #expect(lab.isReady && lab.topology?.state == .refused && lab.topology?.message == "line 2: no")
    lab.edit(Lab.placement(["reef"], hosts: [0]))
    lab.settle()
    #expect(lab.topology?.state == .running)
  }

  @Test("steps that do not end in time are taken back for a switch, and run again under the next epoch")
  func drain() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    let (_, job) = lab.submit(request("abc", 20))
    lab.settle { job.tokens.count > 5 }
    lab.worker("reef")?.holdsSteps = true
    lab.edit(Lab.placement(three, hosts: [1]))
    lab.settle()
    #expect(lab.epochs == [1])
    lab.pass(.seconds(3), by: .milliseconds(500))
    #expect(lab.epochs == [1, 2])
    lab.worker("reef")?.holdsSteps = false
    lab.settle()
    expect(job, "abc", 20)
  }

  @Test("a step that was sent ahead has its time to end before a switch, from when the one before it is through")
  func drainAhead() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    let (_, job) = lab.submit(request("abc", 20))
    lab.settle { job.tokens.count > 5 }
    let worker = try #require(lab.worker("reef"))
    worker.holdsSteps = true
    lab.settle()
    lab.edit(Lab.placement(three, hosts: [1]))
    lab.settle()
    lab.pass(.milliseconds(1500), by: .milliseconds(500))
    worker.runOneHeld()
    lab.settle()
    lab.pass(.milliseconds(1500), by: .milliseconds(500))
    #expect(lab.epochs == [1])
    worker.runOneHeld()
    lab.settle()
    #expect(lab.epochs == [1, 2])
    worker.holdsSteps = false
    lab.settle()
    expect(job, "abc", 20)
    #expect(lab.model.gaps == 0)
  }
}

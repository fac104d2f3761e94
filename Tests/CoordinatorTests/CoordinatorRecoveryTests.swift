import Cluster
import ModelSpec
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

@Suite("Coordinator recovering from losses")
struct CoordinatorRecoveryTests {
  private let three: [NodeID] = ["reef", "cove", "sound"]

  private func request(_ text: String, _ count: Int?) -> JobRequest {
    JobRequest(prompt: .text(text), maxTokens: count)
  }

  private func expect(_ job: Recorder<JobEvent>, _ text: String, _ count: Int) {
    #expect(job.summary?.tokens == FakeModel.answer(to: Lab.tokens(text), count: count))
    #expect(job.endCount == 1)
  }

  private func notices(_ worker: FakeWorker?) -> [NodeLost] {
    worker?.received.compactMap { if case .nodeLost(let loss) = $0 { loss } else { nil } } ?? []
  }

  @Test("any node may die in mid-generation: the others take over and the tokens are the same", arguments: 0..<9)
  func lostWorker(kind: Int) throws {
    let lab = try Lab(nodes: three, hosts: [0, 1])
    let lost = three[kind % 3]
    let jobs = (0..<3).map { lab.submit(request("job \($0)", 100)).1 }
    lab.settle { jobs[0].tokens.count > 5 + kind }
    for _ in 0..<kind { lab.advance() }
    lab.kill(lost)
    lab.settle()
    for (index, job) in jobs.enumerated() { expect(job, "job \(index)", 100) }
    #expect(lab.model.gaps == 0, "a step went on without what went before")
    let (_, late) = lab.submit(request("late", 4))
    lab.settle()
    expect(late, "late", 4)
  }

  @Test("a lost node with replicas costs neither an epoch nor a step; the hosts are told")
  func replica() throws {
    let lab = try Lab(nodes: three, hosts: [0], configure: { $0.timeouts.mistrust = .seconds(60) })
    let (_, job) = lab.submit(request("abc", 40))
    lab.settle { job.tokens.count > 5 }
    lab.worker("reef")?.holdsSteps = true
    lab.settle()
    let steps = lab.model.stepCount
    lab.worker("sound")?.die()
    while notices(lab.worker("reef")).isEmpty, lab.advance() {}
    #expect(notices(lab.worker("reef")) == [NodeLost(epoch: PlacementEpoch(rawValue: 1), node: 2)])
    #expect(notices(lab.worker("cove")).isEmpty, "only hosts share rows out")
    #expect(lab.shell.core?.running?.isBroken == false && lab.shell.core?.steps.count == 2)
    #expect(lab.model.stepCount == steps)
    lab.worker("reef")?.holdsSteps = false
    lab.settle()
    expect(job, "abc", 40)
  }

  @Test("a lost node without replicas costs an epoch: its experts move, and the steps under way run again")
  func noReplica() throws {
    let placement = Lab.placement(three, hosts: [0], experts: ["reef": [0..<2], "cove": [2..<3], "sound": [3..<4]])
    let lab = try Lab(nodes: three, hosts: [0], placement: placement)
    let (_, job) = lab.submit(request("abc", 40))
    lab.settle { job.tokens.count > 5 }
    lab.worker("reef")?.holdsSteps = true
    lab.settle()
    lab.worker("sound")?.die()
    lab.settle { lab.shell.core?.running?.isBroken == true }
    #expect(lab.shell.core?.steps.isEmpty == true)
    // What lacks experts is not shown as if it ran.
    #expect(lab.topology?.placement == nil && lab.topology?.epoch.rawValue == 0)
    lab.worker("reef")?.holdsSteps = false
    lab.settle()
    #expect(lab.epochs == [1, 2])
    #expect(notices(lab.worker("reef")).isEmpty)
    expect(job, "abc", 40)
    let now = try #require(lab.topology?.placement)
    #expect(now.index(of: "sound").map { now.participants.contains($0) } != true)
    #expect(lab.model.gaps == 0)
  }

  @Test("a node that comes back gets its share again")
  func comesBack() throws {
    let placement = Lab.placement(three, hosts: [0], experts: ["reef": [0..<2], "cove": [2..<3], "sound": [3..<4]])
    let lab = try Lab(nodes: three, hosts: [0], placement: placement)
    lab.settle()
    lab.kill("sound")
    lab.settle()
    #expect(lab.topology?.state == .preparing && lab.topology?.message.contains("sound") == true)
    let worker = lab.startWorker("sound")
    lab.pass(.seconds(3), by: .milliseconds(100))
    #expect(worker.isConnected && lab.topology?.state == .running)
    #expect(lab.topology?.placement?.hasSameShape(as: placement) == true)
    #expect(worker.prepares.last?.pieces.contains { $0.piece == .expert(0, 3) && $0.holder != nil } == true)
  }

  @Test("with no room left jobs wait and say why, and go on when the node comes back")
  func noRoom() throws {
    let placement = Lab.placement(three, hosts: [0], experts: ["reef": [0..<2], "cove": [2..<3], "sound": [3..<4]])
    let lab = try Lab(nodes: three, hosts: [0], placement: placement) { configuration in
      let nodes = configuration.desired.nodes.map {
        NodePlan(id: $0.id, address: $0.address, memoryBytes: ($0.id == "reef" ? 43 : 35) << 19)
      }
      configuration.desired = DesiredCluster(placement: placement, nodes: nodes, sequences: 4)
    }
    let (_, job) = lab.submit(request("abc", 40))
    lab.settle { job.tokens.count > 5 }
    let tokens = job.tokens.count
    lab.kill("sound")
    lab.settle()
    lab.pass(.seconds(30), by: .seconds(1))
    #expect(job.endCount == 0 && job.tokens.count <= tokens + 2)
    #expect(lab.topology?.state == .preparing && lab.topology?.message.contains("sound") == true)
    #expect(lab.status.elements.contains { if case .waiting(let why) = $0 { why.contains("sound") } else { false } })
    lab.startWorker("sound")
    lab.pass(.seconds(3), by: .milliseconds(100))
    expect(job, "abc", 40)
  }

  @Test("a worker's word that its peer is gone counts: nothing runs until the connection is made anew")
  func peerLost() throws {
    let placement = Lab.placement(["reef", "cove"], hosts: [0], experts: ["reef": [0..<2], "cove": [2..<4]])
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0], placement: placement)
    let (_, job) = lab.submit(request("abc", 40))
    lab.settle { job.tokens.count > 5 }
    lab.worker("reef")?.send(.peerLost(PeerLost(node: NodeIndex(1), sentence: "connection reset")))
    lab.settle()
    expect(job, "abc", 40)
    #expect(lab.epochs == [1, 2])
  }

  @Test("a lost connection that replicas make up for interrupts no step, and is made anew by a switch")
  func stalePeer() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0])
    let (_, job) = lab.submit(request("abc", 40))
    lab.settle { job.tokens.count > 5 }
    lab.worker("reef")?.send(.peerLost(PeerLost(node: NodeIndex(1), sentence: "connection reset")))
    lab.settle { lab.shell.core?.running?.isStale == true }
    #expect(lab.shell.core?.running?.isBroken == false)
    lab.settle()
    expect(job, "abc", 40)
    #expect(lab.epochs == [1, 2] && lab.shell.core?.running?.isStale == false)
  }

  @Test("a step that is only interrupted runs again under the next epoch; its jobs do not notice")
  func interruptedStep() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1])
    let (_, job) = lab.submit(request("abc", 40))
    lab.settle { job.tokens.count > 5 }
    var isFirst = true
    lab.worker("cove")?.lie = { outcome in
      defer { isFirst = false }
      guard isFirst else { return .stepResult(outcome) }
      return .stepFailed(StepFailed(step: outcome.step, node: "cove", isInterrupted: true, sentence: "cut"))
    }
    lab.settle()
    expect(job, "abc", 40)
    #expect(lab.epochs == [1, 2] && !isFirst)
  }

  @Test("steps that are interrupted for ever end their job, not the others")
  func alwaysInterrupted() throws {
    let lab = try Lab(sequences: 1)
    let worker = try #require(lab.worker("reef"))
    worker.lie = { outcome in
      .stepFailed(StepFailed(step: outcome.step, node: "reef", isInterrupted: true, sentence: "again"))
    }
    let (_, job) = lab.submit(request("abc", 10))
    let (_, next) = lab.submit(request("next", 10))
    lab.settle(rounds: 100_000) { job.endCount > 0 }
    worker.lie = { .stepResult($0) }
    lab.settle()
    #expect(job.error?.code == .stepFailed && job.error?.message.contains("100 times") == true)
    expect(next, "next", 10)
  }

  @Test("a silent node is asked for a sign of life, and lost when none comes")
  func silence() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    lab.pass(.seconds(30), by: .milliseconds(100))
    let worker = try #require(lab.worker("cove"))
    #expect(worker.received.contains { if case .ping = $0 { true } else { false } })
    #expect(!lab.status.elements.contains { if case .lost = $0 { true } else { false } })
    worker.bend = { message in if case .ping = message { [] } else { nil } }
    lab.pass(.seconds(3600))
    lab.settle()
    #expect(
      !lab.status.elements.contains { if case .lost = $0 { true } else { false } },
      "a pause of the coordinator itself is no silence of the node")
    lab.pass(.seconds(1), by: .milliseconds(100))
    #expect(lab.status.elements.contains { if case .lost("cove", _) = $0 { true } else { false } })
    #expect(!lab.status.elements.contains { if case .lost("reef", _) = $0 { true } else { false } })
  }

  @Test("an engine that says it works and gets nowhere is lost behind a living socket")
  func hang() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    let worker = try #require(lab.worker("cove"))
    worker.bend = { message in
      guard case .ping(let ping) = message else { return nil }
      return [.pong(Heartbeat(nonce: ping.nonce, progress: 5, isWorking: true))]
    }
    lab.pass(.seconds(29), by: .milliseconds(200))
    #expect(!lab.status.elements.contains { if case .lost = $0 { true } else { false } })
    lab.pass(.seconds(3), by: .milliseconds(200))
    #expect(
      lab.status.elements.contains {
        if case .lost("cove", let reason) = $0 { reason.contains("stuck") } else { false }
      })
  }

  @Test("a node that does not switch is let go, and the others are brought together without it")
  func neverActivates() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    let (_, job) = lab.submit(request("abc", 30))
    lab.settle { job.tokens.count > 5 }
    lab.worker("cove")?.bend = { message in if case .activate = message { [] } else { nil } }
    lab.edit(Lab.placement(three, hosts: [1]))
    lab.settle()
    #expect(job.endCount == 0)
    lab.pass(.seconds(11), by: .seconds(1))
    #expect(lab.status.elements.contains { if case .lost("cove", _) = $0 { true } else { false } })
    expect(job, "abc", 30)
    #expect(lab.model.gaps == 0)
  }

  @Test("a worker that talks out of turn is let go and tried again later", arguments: 0..<3)
  func violations(kind: Int) throws {
    let odd: [ControlMessage] = [
      .submitted(Submitted(request: 1, job: 1, seed: 1, promptTokens: [1])), .shutdown,
      .peerLost(PeerLost(node: NodeIndex(77), sentence: "")),
    ]
    let lab = try Lab(nodes: three, hosts: [0])
    lab.settle()
    lab.worker("cove")?.send(odd[kind])
    lab.settle()
    #expect(lab.failure == nil && lab.worker("cove")?.isConnected == false)
    lab.pass(.seconds(14), by: .milliseconds(500))
    #expect(lab.worker("cove")?.isConnected == false)
    lab.pass(.seconds(2), by: .milliseconds(500))
    #expect(lab.worker("cove")?.isConnected == true && lab.topology?.state == .running)
  }

  @Test("a local worker that ends is started again, later each time")
  func localRestart() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0], localNodes: ["cove"])
    lab.settle()
    lab.handle.nodeListens("cove", at: Lab.address(1))
    lab.settle()
    #expect(lab.isReady && lab.local.calls == [.start("cove", ["worker"])])
    lab.kill("cove")
    lab.handle.nodeEnded("cove", CoordinatorError(.workerLost, node: "cove", "gone"))
    lab.settle()
    lab.pass(.seconds(3), by: .milliseconds(100))
    #expect(lab.local.calls.count == 2)
    lab.startWorker("cove")
    lab.handle.nodeListens("cove", at: Lab.address(1))
    lab.settle()
    #expect(lab.topology?.state == .running)
  }
}

import Cluster
import ModelSpec
import Coordinator
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@Suite("Coordinator bringing nodes up")
struct CoordinatorBringupTests {
  private let three: [NodeID] = ["reef", "cove", "sound"]

  @Test("every node is told its own pieces and where all the others are, then all switch together")
  func threeNodes() throws {
    let lab = try Lab(nodes: three, hosts: [0, 1])
    lab.settle()
    #expect(lab.status.elements.contains(.ready(nodes: 3, stages: 2)))
    for (index, worker) in lab.workers.enumerated() {
      let prepare = try #require(worker.prepares.first)
      #expect(worker.prepares.count == 1)
      #expect(prepare.node == NodeIndex(index))
      let facts = ModelFacts(expertCounts: [4, 4], contextLength: 1024, outputUsesEmbedding: false)
      let pieces = prepare.placement.pieces(for: NodeIndex(index), facts: facts)
      #expect(prepare.pieces.map(\.piece) == pieces && prepare.pieces.allSatisfy { $0.holder == nil })
      #expect(prepare.addresses == ["node:7001", "node:7002", "node:7003"])
      #expect(
        worker.received.contains(.activate(Activate(epoch: PlacementEpoch(rawValue: 1), movesKeyValues: false))))
    }
    #expect(lab.weights.served.count == 3)
    #expect(lab.weights.stopped.sorted() == three.sorted())
  }

  @Test("a node that holds nothing is not waited for, and its end ends nothing")
  func spare() throws {
    let lab = try Lab(nodes: three, hosts: [0], missing: ["sound"], spares: ["sound"])
    lab.settle()
    #expect(lab.status.elements.contains(.ready(nodes: 2, stages: 1)))
    lab.handle.nodeEnded("sound", CoordinatorError(.startFailed, node: "sound", "gone"))
    let (_, job) = lab.submit(JobRequest(prompt: .tokens([1]), maxTokens: 2))
    lab.settle()
    #expect(job.summary?.tokens.isEmpty == false)
    #expect(job.summary?.wire.nodes.count == 4)
  }

  @Test("a worker that starts listening later is reached then")
  func lateAddress() throws {
    let lab = try Lab(nodes: three, hosts: [0], localNodes: ["cove"])
    lab.settle()
    #expect(!lab.isReady)
    lab.handle.nodeListens("cove", at: Lab.address(1))
    lab.settle()
    #expect(lab.isReady)
  }

  @Test("a node that nobody answers for is tried until the time is over, then named")
  func unreachable() throws {
    let lab = try Lab(nodes: three, hosts: [0], missing: ["sound"])
    let (_, job) = lab.submit(JobRequest(prompt: .tokens([1])))
    lab.settle()
    lab.pass(.seconds(9), by: .milliseconds(200))
    #expect(lab.failure == nil)
    lab.pass(.seconds(2), by: .milliseconds(200))
    let error = try #require(lab.failure)
    #expect(error.code == .unreachable && error.node == "sound")
    #expect(error.message.contains("node:7003"))
    #expect(job.error == error)
    let tries = lab.status.elements.count { if case .reaching("sound", _) = $0 { true } else { false } }
    #expect(tries == 1, "each try is a try, but only the first is news")
  }

  @Test("a local worker that never says where it listens is named")
  func silentStart() throws {
    let lab = try Lab(localNodes: ["reef"])
    lab.settle()
    lab.pass(.seconds(11))
    lab.settle()
    #expect(lab.failure?.message.contains("reef") == true)
  }

  @Test("a local worker that ends takes the cluster down with its last words")
  func earlyExit() throws {
    let lab = try Lab(localNodes: ["reef"])
    lab.settle()
    let error = CoordinatorError(.startFailed, node: "reef", "the local worker reef ended with status 64")
    lab.handle.nodeEnded("reef", error)
    lab.settle()
    #expect(lab.failure == error)
  }

  @Test("another numerics version is refused, naming both")
  func numericsMismatch() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.worker("cove")?.numericsVersion = 9
    lab.settle()
    let error = try #require(lab.failure)
    #expect(error.code == .numericsMismatch && error.node == "cove")
    #expect(error.message.contains("version 9") && error.message.contains("version 1"))
  }

  @Test("what a worker says when it refuses reaches the user")
  func refused() throws {
    let lab = try Lab()
    lab.worker("reef")?.bend = { message in
      if case .hello = message { [.refuse(Refuse(code: 0, sentence: "it serves cluster 12345678"))] } else { nil }
    }
    lab.settle()
    #expect(lab.failure?.code == .refused)
    #expect(lab.failure?.message.contains("it serves cluster 12345678") == true)
  }

  @Test("a worker that cannot get ready says why")
  func prepareFailed() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.worker("sound")?.bend = { message in
      guard case .prepare(let prepare) = message else { return nil }
      return [.prepareFailed(PrepareFailed(epoch: prepare.placement.epoch, sentence: "no space left"))]
    }
    lab.settle()
    #expect(lab.failure?.code == .prepareFailed && lab.failure?.node == "sound")
    #expect(lab.failure?.message.contains("no space left") == true)
    #expect(lab.weights.stopped.contains("sound"))
  }

  @Test("a worker that gets on slowly is waited for, one that gets stuck is not")
  func slowPreparation() throws {
    let lab = try Lab()
    let worker = try #require(lab.worker("reef"))
    worker.bend = { message in if case .prepare = message { [] } else { nil } }
    lab.settle()
    for done in 1...10 {
      lab.pass(.seconds(100), by: .seconds(25))
      worker.send(
        .progress(
          Progress(
            epoch: PlacementEpoch(rawValue: 1), piecesDone: done, piecesTotal: 20, bytesDone: done, bytesTotal: 20,
            bytesMoved: done)))
      lab.settle()
    }
    #expect(lab.failure == nil)
    for _ in 0..<10 {
      lab.pass(.seconds(31))
      lab.settle()
    }
    #expect(lab.failure?.code == .prepareFailed)
  }

  @Test("a worker that talks out of turn ends a strict start, with its name")
  func violations() throws {
    let odd: [ControlMessage] = [
      .submitted(Submitted(request: 1, job: 1, seed: 1, promptTokens: [1])), .shutdown,
      .welcome(
        Welcome(
          numericsVersion: 1, node: "reef",
          capabilities: NodeCapabilities(
            instructionSet: "", cores: 0, memoryBytes: 0, readBandwidth: 0, software: ""), model: nil)),
    ]
    for message in odd {
      let lab = try Lab()
      lab.worker("reef")?.bend = { if case .prepare = $0 { [message] } else { nil } }
      lab.settle()
      #expect(lab.failure?.code == .badAnswer && lab.failure?.node == "reef", "\(message.type)")
    }
  }

  @Test("a worker lost before anything runs ends a strict start")
  func lostEarly() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.worker("cove")?.bend = { if case .prepare = $0 { [] } else { nil } }
    lab.settle()
    lab.kill("cove")
    lab.settle()
    #expect(lab.failure?.code == .workerLost && lab.failure?.node == "cove")
  }

  @Test("a peer that cannot be reached ends a strict start, naming both")
  func unreachablePeer() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.worker("cove")?.bend = { message in
      guard case .prepare(let prepare) = message else { return nil }
      return [.peerUnreachable(PeerUnreachable(epoch: prepare.placement.epoch, node: 0, sentence: "no route"))]
    }
    lab.settle()
    #expect(lab.failure?.code == .unreachable && lab.failure?.node == "reef")
    #expect(lab.failure?.message.contains("cove cannot reach reef: no route") == true)
  }

  @Test("the next deadline is never in the past once all that is due was done")
  func deadlines() throws {
    let lab = try Lab(nodes: three, hosts: [0, 2], missing: ["cove"])
    for _ in 0..<80 {
      lab.settle()
      if let deadline = lab.shell.nextDeadline { #expect(deadline > lab.now) }
      lab.pass(.milliseconds(130))
    }
  }
}

import Cluster
import Coordinator
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@Suite("Coordinator bringing nodes up")
struct CoordinatorBringupTests {
  private let three: [NodeID] = ["reef", "cove", "sound"]

  private func failure(_ lab: Lab) -> CoordinatorError? {
    for case .failed(let error) in lab.status.elements { return error }
    return nil
  }

  private func isReady(_ lab: Lab) -> Bool {
    lab.status.elements.contains { if case .ready = $0 { true } else { false } }
  }

  @Test("every node is told its own pieces and where all the others are, then all switch together")
  func threeNodes() throws {
    let lab = try Lab(nodes: three, hosts: [0, 1])
    lab.settle()
    #expect(lab.status.elements.contains(.ready(nodes: 3, stages: 2)))
    for (index, worker) in lab.workers.enumerated() {
      let prepares = worker.received.compactMap { if case .prepare(let prepare) = $0 { prepare } else { nil } }
      let prepare = try #require(prepares.first)
      #expect(prepares.count == 1)
      #expect(prepare.node == NodeIndex(index))
      #expect(prepare.pieces.map(\.byteCount) == [1000 + index])
      #expect(prepare.addresses == ["node:7001", "node:7002", "node:7003"])
      #expect(worker.received.contains(.activate(EpochNotice(epoch: PlacementEpoch(rawValue: 1)))))
    }
    #expect(lab.weights.served.count == 3)
    #expect(lab.weights.stopped.sorted() == three.sorted())
  }

  @Test("a node that holds nothing is neither dialled nor waited for, and its end ends nothing")
  func spare() throws {
    let lab = try Lab(nodes: three, hosts: [0], missing: ["sound"], spares: ["sound"])
    lab.settle()
    #expect(lab.status.elements.contains(.ready(nodes: 2, stages: 1)))
    lab.handle.nodeEnded(NodeIndex(2), CoordinatorError(.startFailed, node: "sound", "gone"))
    let (_, job) = lab.submit(JobRequest(prompt: .tokens([1]), maxTokens: 2))
    lab.settle()
    #expect(job.summary?.tokens.isEmpty == false)
    #expect(job.summary?.wire.nodes.count == 4)
  }

  @Test("a worker that starts listening later is reached then")
  func lateAddress() throws {
    let lab = try Lab(nodes: three, hosts: [0], localNodes: ["cove"])
    lab.settle()
    #expect(!isReady(lab))
    lab.handle.nodeListens(NodeIndex(1), at: Lab.address(1))
    lab.settle()
    #expect(isReady(lab))
  }

  @Test("a node that nobody answers for is tried until the time is over, then named")
  func unreachable() throws {
    let lab = try Lab(nodes: three, hosts: [0], missing: ["sound"])
    let (_, job) = lab.submit(JobRequest(prompt: .tokens([1])))
    for _ in 0..<40 {
      lab.settle()
      lab.pass(.milliseconds(200))
    }
    #expect(failure(lab) == nil)
    lab.pass(.seconds(3))
    lab.settle()
    let error = try #require(failure(lab))
    #expect(error.code == .unreachable && error.node == "sound")
    #expect(error.message.contains("node:7003"))
    #expect(job.error == error)
    let tries = lab.status.elements.count { if case .reaching("sound", _) = $0 { true } else { false } }
    #expect(tries > 20)
  }

  @Test("a local worker that never says where it listens is named")
  func silentStart() throws {
    let lab = try Lab(localNodes: ["reef"])
    lab.settle()
    lab.pass(.seconds(11))
    lab.settle()
    #expect(failure(lab)?.message.contains("reef") == true)
  }

  @Test("a local worker that ends takes the cluster down with its last words")
  func earlyExit() throws {
    let lab = try Lab(localNodes: ["reef"])
    lab.settle()
    let error = CoordinatorError(.startFailed, node: "reef", "the local worker reef ended with status 64")
    lab.handle.nodeEnded(NodeIndex(0), error)
    lab.settle()
    #expect(failure(lab) == error)
  }

  @Test("another numerics version is refused, naming both")
  func numericsMismatch() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.worker("cove")?.numericsVersion = 9
    lab.settle()
    let error = try #require(failure(lab))
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
    #expect(failure(lab)?.code == .refused)
    #expect(failure(lab)?.message.contains("it serves cluster 12345678") == true)
  }

  @Test("a worker that cannot get ready says why")
  func prepareFailed() throws {
    let lab = try Lab(nodes: three, hosts: [0])
    lab.worker("sound")?.bend = { message in
      guard case .prepare(let prepare) = message else { return nil }
      return [.prepareFailed(PrepareFailed(epoch: prepare.placement.epoch, sentence: "no space left"))]
    }
    lab.settle()
    #expect(failure(lab)?.code == .prepareFailed && failure(lab)?.node == "sound")
    #expect(failure(lab)?.message.contains("no space left") == true)
    #expect(lab.weights.stopped.contains("sound"))
  }

  @Test("a worker that gets on slowly is waited for, one that gets stuck is not")
  func slowPreparation() throws {
    let lab = try Lab()
    let worker = try #require(lab.worker("reef"))
    worker.bend = { message in if case .prepare = message { [] } else { nil } }
    lab.settle()
    for done in 1...10 {
      lab.pass(.seconds(100))
      worker.send(
        .progress(
          Progress(
            epoch: PlacementEpoch(rawValue: 1), piecesDone: done, piecesTotal: 20, bytesDone: done, bytesTotal: 20,
            bytesMoved: done)))
      lab.settle()
    }
    #expect(failure(lab) == nil)
    for _ in 0..<10 {
      lab.pass(.seconds(31))
      lab.settle()
    }
    #expect(failure(lab)?.code == .prepareFailed)
  }

  @Test("answers out of turn or of the wrong kind end the cluster with the name of who gave them")
  func violations() throws {
    let odd: [ControlMessage] = [
      .submitted(Submitted(request: 1, job: 1, seed: 1, promptTokens: [1])), .shutdown,
      .peerLost(PeerLost(node: NodeIndex(77), sentence: "")),
    ]
    for message in odd {
      let lab = try Lab()
      lab.settle()
      lab.worker("reef")?.send(message)
      lab.settle()
      #expect(failure(lab)?.code == .badAnswer && failure(lab)?.node == "reef", "\(message.type)")
    }
  }

  @Test("a silent node is asked for a sign of life, and lost when none comes")
  func silence() throws {
    let lab = try Lab()
    lab.settle()
    for _ in 0..<30 {
      lab.pass(.seconds(6))
      lab.settle()
    }
    #expect(failure(lab) == nil)
    let worker = try #require(lab.worker("reef"))
    #expect(worker.received.contains { if case .ping = $0 { true } else { false } })
    worker.bend = { message in if case .ping = message { [] } else { nil } }
    lab.pass(.seconds(3600))
    lab.settle()
    #expect(failure(lab) == nil, "a pause of the coordinator itself is no silence of the node")
    for _ in 0..<12 {
      lab.pass(.seconds(6))
      lab.settle()
    }
    #expect(failure(lab)?.code == .workerLost && failure(lab)?.node == "reef")
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

import Cluster
import Coordinator
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@Suite("Coordinator and remote clients")
struct CoordinatorClientTests {
  private func request(_ text: String, _ count: Int?) -> JobRequest {
    JobRequest(prompt: .text(text), maxTokens: count)
  }

  @Test("a remote job gets the same events as a local one")
  func sameEvents() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1])
    var request = request("Once upon a time", 12)
    request.parameters.seed = 42
    let (_, local) = lab.submit(request)
    lab.settle()
    let (_, remote) = lab.addClient().submit(request)
    lab.settle()
    #expect(remote.tokens == local.tokens && remote.text == local.text)
    let (here, there) = (try #require(local.summary), try #require(remote.summary))
    #expect(there.tokens == here.tokens && there.text == here.text && there.seed == 42)
    #expect(there.promptTokens == here.promptTokens)
    #expect(there.stopReason == here.stopReason)
    #expect(there.nodeCount == 2 && there.stageCount == 2)
    #expect(there.wire.nodes.map(\.node) == ["coordinator", "cove", "reef"])
    #expect(there.wire.total.bytes > 0)
  }

  @Test("logits reach a remote client")
  func logits() throws {
    let lab = try Lab(prefillChunk: 4)
    let (_, job) = lab.addClient().submit(JobRequest(prompt: .tokens(Lab.tokens("abcdefgh")), logitRows: 5))
    lab.settle()
    let rows = job.elements.reduce(0) { if case .logits(_, let rows, _) = $1 { $0 + rows } else { $0 } }
    #expect(rows == 5)
    #expect(job.summary?.promptTokens == Lab.tokens("abcdefgh"))
  }

  @Test("a refusal reaches the one who asked")
  func refusal() throws {
    let lab = try Lab(context: 16)
    let client = lab.addClient()
    let (_, job) = client.submit(request(String(repeating: "a", count: 20), 1))
    let (_, other) = client.submit(request("abc", 5))
    lab.settle()
    #expect(job.error?.code == .promptTooLong)
    #expect(other.summary?.tokens.count == 5)
  }

  @Test("a remote job can be cancelled at any moment", arguments: 0..<10)
  func cancel(rounds: Int) throws {
    let lab = try Lab()
    let client = lab.addClient()
    let (id, job) = client.submit(request("abc", 200))
    for _ in 0..<rounds { lab.advance() }
    client.client.handle.cancel(id)
    lab.settle()
    #expect(job.summary?.stopReason == .cancelled && job.endCount == 1)
    #expect(lab.model.caches.isEmpty)
  }

  @Test("the jobs of a client that goes away are cancelled, those of others go on")
  func disconnect() throws {
    let lab = try Lab()
    let leaving = lab.addClient()
    let staying = lab.addClient()
    let (_, gone) = leaving.submit(request("abc", 250))
    let (_, job) = staying.submit(request("def", 30))
    lab.settle { gone.tokens.count > 5 }
    leaving.plane.stop()
    lab.settle()
    #expect(job.tokens == FakeModel.answer(to: Lab.tokens("def"), count: 30))
    #expect(gone.tokens.count < 20 && gone.error?.code == .unreachable)
    #expect(lab.model.caches.isEmpty)
  }

  @Test("the client learns that the coordinator is gone")
  func lostCoordinator() throws {
    let lab = try Lab()
    let client = lab.addClient()
    let (_, job) = client.submit(request("abc", 200))
    lab.settle { job.tokens.count > 5 }
    lab.handle.stop()
    lab.settle()
    #expect(job.endCount == 1 && job.error != nil)
    lab.network.cut("client 0", Lab.name)
    lab.settle()
    #expect(client.client.isStopped)
    let (_, late) = client.submit(request("abc", 1))
    lab.settle()
    #expect(late.error?.code == .unreachable)
  }

  @Test("where nobody listens, jobs fail with the address")
  func nobodyThere() {
    let network = InProcessNetwork()
    let client = LabClient(number: 0, network: network)
    let (_, job) = client.submit(request("abc", 1))
    let now = ContinuousClock.now
    while client.client.advance(now: now) {}
    #expect(job.error?.code == .unreachable && job.error?.message.contains("coordinator:1") == true)
  }

  @Test("a coordinator that does not answer is given up")
  func silentCoordinator() {
    let network = InProcessNetwork()
    let silent = InProcessControlPlane(network: network, name: "silent", address: Lab.address) { _ in }
    let client = LabClient(number: 0, network: network)
    let (_, job) = client.submit(request("abc", 1))
    let now = ContinuousClock.now
    while client.client.advance(now: now) {}
    #expect(job.endCount == 0)
    _ = client.client.advance(now: now + .seconds(11))
    #expect(job.error?.message.contains("10 seconds") == true)
    silent.stop()
  }

  @Test("whatever a client sends out of turn closes its own link only", arguments: 0..<6)
  func rudeClients(kind: Int) throws {
    let lab = try Lab()
    let (_, job) = lab.submit(request("abc", 60))
    lab.settle { job.tokens.count > 3 }
    let events = Recorder<ControlEvent>()
    let rude = InProcessControlPlane(network: lab.network, name: "rude", sink: { events.record($0) })
    let link = rude.dial(Lab.address, timeout: .seconds(1))
    func send(_ message: ControlMessage) {
      rude.send(message, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), on: link)
    }
    func hello(_ role: PeerRole) -> ControlMessage {
      .hello(
        Hello(
          role: role, numericsVersion: 0, cluster: ClusterID(high: 0, low: 0), term: CoordinatorTerm(rawValue: 0),
          node: "", software: ""))
    }
    switch kind {
    case 0: send(.submit(Submit(request: 1, prompt: .text("x"), sampling: .init(), maxTokens: 1, ignoresEOS: false)))
    case 1: send(hello(.coordinator))
    case 2:
      send(hello(.client))
      send(.stepResult(StepOutcome(step: StepID(rawValue: 1), results: [])))
    case 3:
      send(hello(.client))
      send(.peerLost(PeerLost(node: NodeIndex(0), sentence: "I say so")))
    case 4:
      send(hello(.client))
      send(hello(.client))
    default:
      lab.advance()
      lab.pass(.seconds(11))
    }
    lab.settle()
    let isClosed = events.elements.contains { if case .closed(link, _) = $0 { true } else { false } }
    #expect(isClosed)
    #expect(job.tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 60))
    rude.stop()
  }

  @Test("nobody can cancel the jobs of others")
  func foreignCancel() throws {
    let lab = try Lab()
    let (_, job) = lab.addClient().submit(request("abc", 40))
    lab.settle { job.tokens.count > 3 }
    let rude = InProcessControlPlane(network: lab.network, name: "rude", sink: { _ in })
    let link = rude.dial(Lab.address, timeout: .seconds(1))
    let hello = Hello(
      role: .client, numericsVersion: 0, cluster: ClusterID(high: 0, low: 0), term: CoordinatorTerm(rawValue: 0),
      node: "", software: "")
    for message in [.hello(hello)] + (0..<5).map({ ControlMessage.cancel(Cancel(job: 1 << 48 | $0)) }) {
      rude.send(message, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), on: link)
    }
    lab.settle()
    #expect(job.summary?.tokens.count == 40)
    rude.stop()
  }

  @Test("a client may run only so many jobs at a time, and as many again later")
  func jobLimit() throws {
    let lab = try Lab()
    let client = lab.addClient()
    let jobs = (0..<70).map { client.submit(request("job \($0)", 2)).1 }
    lab.settle()
    #expect(jobs.count { $0.summary != nil } == 64)
    #expect(jobs.filter { $0.summary == nil }.allSatisfy { $0.error?.code == .busy })
    let (_, more) = client.submit(request("more", 2))
    lab.settle()
    #expect(more.summary != nil)
  }
}

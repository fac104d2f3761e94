import Cluster
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

@Suite("Coordinator under random load")
struct CoordinatorRandomTests {
  private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  @Test("every job ends once, with its own tokens, whatever others do", arguments: 0..<40)
  func randomLoad(seed: Int) throws {
    var random = Generator(state: UInt64(seed) &* 77 &+ 5)
    let hosts = [[0], [0, 1], [2, 0], [1, 2, 0]][seed % 4]
    let lab = try Lab(
      nodes: ["reef", "cove", "sound"], hosts: hosts, sequences: Int.random(in: 1...5, using: &random),
      context: 200, prefillChunk: Int.random(in: 1...40, using: &random))
    var jobs: [(request: JobRequest, prompt: String, recorder: Recorder<JobEvent>)] = []
    for _ in 0..<400 {
      for _ in 0..<Int.random(in: 0...4, using: &random) { lab.advance() }
      let prompt = "job \(jobs.count) " + String(repeating: "z", count: Int.random(in: 0...60, using: &random))
      let request = JobRequest(prompt: .text(prompt), maxTokens: Int.random(in: 0...40, using: &random))
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<3:
        let (id, recorder) = lab.submit(request)
        jobs.append((request, prompt, recorder))
        if Bool.random(using: &random) { lab.handle.cancel(id) }
      case 3, 4:
        let client = lab.clients.randomElement(using: &random) ?? lab.addClient()
        let (id, recorder) = client.submit(request)
        jobs.append((request, prompt, recorder))
        if Int.random(in: 0..<4, using: &random) == 0 { client.client.handle.cancel(id) }
      case 5 where lab.clients.count < 8: _ = lab.addClient()
      case 6 where Int.random(in: 0..<4, using: &random) == 0:
        lab.clients.randomElement(using: &random)?.plane.stop()
      case 7: lab.pass(.milliseconds(Int.random(in: 0...3000, using: &random)))
      default: break
      }
    }
    lab.settle()
    #expect(!jobs.isEmpty)
    for job in jobs {
      #expect(job.recorder.endCount == 1, "seed \(seed): \(job.prompt)")
      let expected = FakeModel.answer(to: Lab.tokens(job.prompt), count: job.request.maxTokens ?? 0)
      let tokens = job.recorder.tokens
      #expect(Array(expected.prefix(tokens.count)) == tokens)
      if job.recorder.summary?.stopReason == .length { #expect(tokens == expected) }
    }
    #expect(lab.model.caches.isEmpty)
  }

  /// Any placement of these nodes that holds every expert.
  private func placement(_ nodes: [NodeID], stages: Int, _ random: inout Generator) -> Placement {
    let chosen = Array(nodes.shuffled(using: &random).prefix(Int.random(in: 2...nodes.count, using: &random)))
    var experts: [NodeID: [Range<Int>]] = [:]
    for expert in 0..<4 {
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        let node = chosen[Int.random(in: 0..<chosen.count, using: &random)]
        if experts[node]?.contains(expert..<expert + 1) != true {
          experts[node, default: []].append(expert..<expert + 1)
        }
      }
    }
    let hosts = (0..<stages).map { _ in Int.random(in: 0..<chosen.count, using: &random) }
    return Lab.placement(chosen, hosts: hosts, experts: experts)
  }

  @Test(
    "every job ends with its own tokens, whatever dies, comes back, is edited or loses its cable", arguments: 0..<60)
  func losses(seed: Int) throws {
    var random = Generator(state: UInt64(seed) &* 91 &+ 3)
    let nodes: [NodeID] = ["reef", "cove", "sound", "bay"]
    let hosts = [[0], [0, 1], [2, 0, 1]][seed % 3]
    let lab = try Lab(
      nodes: nodes, hosts: hosts, sequences: 3, context: 200, prefillChunk: 8,
      placement: placement(nodes, stages: hosts.count, &random).renumbered(nodes: nodes),
      configure: { $0.bringUp = .patient })
    lab.settle()
    var jobs: [(text: String, count: Int, recorder: Recorder<JobEvent>)] = []
    var dead: Set<NodeID> = []
    for _ in 0..<300 {
      for _ in 0..<Int.random(in: 0...6, using: &random) { lab.advance() }
      let node = nodes[Int.random(in: 0..<nodes.count, using: &random)]
      switch Int.random(in: 0..<24, using: &random) {
      case 0..<3 where jobs.count < 40:
        let text = "job \(jobs.count) " + String(repeating: "z", count: Int.random(in: 0...40, using: &random))
        let count = Int.random(in: 1...40, using: &random)
        jobs.append((text, count, lab.submit(JobRequest(prompt: .text(text), maxTokens: count)).1))
      case 3 where !dead.contains(node):
        dead.insert(node)
        lab.kill(node)
      case 4..<7:
        if let node = dead.popFirst() { lab.startWorker(node) }
      case 7, 8: lab.edit(placement(nodes, stages: hosts.count, &random))
      case 9: lab.handle.edited(.refused("line 1"))
      case 10:
        let peer = NodeIndex(Int.random(in: 0..<3, using: &random))
        lab.worker(node)?.send(.peerLost(PeerLost(node: peer, sentence: "a cable")))
      case 11: lab.worker(node)?.holdsSteps.toggle()
      case 12: lab.worker(node)?.getsKeyValues.toggle()
      case 13: lab.network.cut(Lab.name, node.rawValue)
      case 14..<18: lab.pass(.milliseconds(Int.random(in: 0...2500, using: &random)))
      default: break
      }
    }
    for node in dead { lab.startWorker(node) }
    for worker in lab.workers { worker.holdsSteps = false }
    lab.pass(.seconds(40), by: .milliseconds(200))
    #expect(lab.failure == nil)
    for job in jobs {
      #expect(job.recorder.endCount == 1, "seed \(seed): \(job.text)")
      let expected = FakeModel.answer(to: Lab.tokens(job.text), count: job.count)
      #expect(job.recorder.tokens == expected, "seed \(seed): \(job.text)")
    }
    // A step that went on without what went before would have brought other tokens, unless nobody took its result.
    #expect(lab.shell.core?.steps.isEmpty == true && lab.shell.core?.transition == nil)
  }
}

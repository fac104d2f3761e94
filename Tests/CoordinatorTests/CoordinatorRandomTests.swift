import Cluster
import Coordinator
import Scheduling
import Tensors
import Testing
import Transport

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
}

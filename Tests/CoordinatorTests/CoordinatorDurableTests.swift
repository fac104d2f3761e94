import Cluster
import JobStore
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

@Suite("Coordinator and durable jobs")
struct CoordinatorDurableTests {
  private func answer(_ text: String, _ count: Int) -> [TokenID] {
    FakeModel.answer(to: Lab.tokens(text), count: count)
  }

  /// A job as the journal has it after an earlier start.
  private func stored(
    _ id: UInt64, _ text: String, tokens: Int = 0, maxTokens: Int = 10, state: StoredJob.State = .open,
    change: (inout AcceptedJob) -> Void = { _ in }
  ) throws -> StoredJob {
    var accepted = AcceptedJob(
      id: JobID(rawValue: id), created: 1_700_000_000_000, model: try zeroDigest(), numericsVersion: 1, kvType: .f16,
      combine: .exact, promptTokens: Lab.tokens(text), sampling: SamplingParameters(), maxTokens: maxTokens,
      ignoreEOS: false)
    change(&accepted)
    return StoredJob(
      accepted: accepted, tokens: answer(text, tokens), logProbabilities: Array(repeating: -0.5, count: tokens),
      state: state)
  }

  private func description(_ lab: Lab, _ job: UInt64) -> JobDescription? {
    lab.shell.core?.jobDescriptions().first { $0.job == job }
  }

  @Test("a durable job is answered only once it is on disk")
  func onDisk() throws {
    let lab = try Lab()
    lab.journal.isSlow = true
    let client = lab.addRawClient()
    client.submit("abc")
    lab.settle()
    #expect(client.messages.isEmpty && lab.model.stepCount == 0)
    lab.journal.release()
    lab.settle()
    #expect(client.jobs == [1])
    guard case .accepted(let accepted)? = lab.journal.entries.first else {
      Issue.record("nothing was written")
      return
    }
    #expect(accepted.id.rawValue == 1 && accepted.promptTokens == Lab.tokens("abc") && accepted.maxTokens == 10)
    // It is told nothing more unless it attaches.
    #expect(client.messages.count == 1)
    lab.journal.release()
    lab.settle()
    #expect(description(lab, 1)?.state == .done && lab.journal.tokens(1) == answer("abc", 10))
  }

  @Test("a journal that cannot be written refuses the job with its reason; later ones are taken")
  func brokenJournal() throws {
    let lab = try Lab()
    let client = lab.addRawClient()
    lab.journal.error = JournalError(.notWritable, "the disk is full")
    client.submit("abc", request: 5)
    lab.settle()
    #expect(client.failures.first?.request == 5 && client.failures.first?.sentence.contains("the disk is full") == true)
    #expect(client.jobs.isEmpty && lab.shell.core?.jobs.isEmpty == true && lab.model.stepCount == 0)
    lab.journal.error = nil
    client.submit("def", request: 6)
    lab.settle()
    #expect(client.jobs == [2] && description(lab, 2)?.state == .done)
  }

  @Test("requests that cannot be met are declined and not written down")
  func declined() throws {
    let lab = try Lab(context: 16)
    let client = lab.addRawClient()
    client.submit(String(repeating: "a", count: 20))
    client.send(
      .submit(
        Submit(
          request: 2, prompt: .text("abc"), sampling: SamplingParameters(), maxTokens: 1, ignoresEOS: false,
          logitRows: 1, isDurable: true)))
    lab.settle()
    #expect(client.failures.count == 2 && lab.journal.entries.isEmpty)
  }

  @Test("the job outlives its client, and what it has generated is written down once a second")
  func checkpoints() throws {
    let lab = try Lab()
    let client = lab.addRawClient()
    client.submit("abc", maxTokens: 40)
    lab.settle { lab.shell.core?.jobs.values.first?.tokens.count == 5 }
    client.leave()
    lab.worker("reef")?.holdsSteps = true
    lab.settle()
    let count = try #require(lab.shell.core?.jobs.values.first?.tokens.count)
    #expect(lab.journal.tokens(1).isEmpty)
    lab.pass(.milliseconds(900))
    lab.settle()
    #expect(lab.journal.tokens(1).isEmpty)
    lab.pass(.milliseconds(200))
    lab.settle()
    #expect(lab.journal.tokens(1) == answer("abc", count))
    let writes = lab.journal.entries.count
    lab.pass(.seconds(5), by: .milliseconds(100))
    #expect(lab.journal.entries.count == writes, "nothing new was written down again")
    lab.worker("reef")?.holdsSteps = false
    lab.settle()
    #expect(lab.journal.tokens(1) == answer("abc", 40))
    guard case .ended(let id, .length, let times)? = lab.journal.entries.last else {
      Issue.record("the end was not written down")
      return
    }
    #expect(id.rawValue == 1 && times.stageCount == 1 && times.nodeCount == 1)
  }

  @Test("tokens that could not be written down come with the next write")
  func failedCheckpoint() throws {
    let lab = try Lab()
    let client = lab.addRawClient()
    client.submit("abc", maxTokens: 40)
    lab.settle { lab.shell.core?.jobs.values.first?.tokens.count == 5 }
    lab.worker("reef")?.holdsSteps = true
    lab.settle()
    lab.journal.error = JournalError(.notWritable, "the disk is full")
    lab.pass(.milliseconds(1100))
    lab.settle()
    #expect(lab.journal.tokens(1).isEmpty)
    lab.journal.error = nil
    lab.pass(.milliseconds(1100))
    lab.settle()
    let count = try #require(lab.shell.core?.jobs.values.first?.tokens.count)
    #expect(count >= 5 && lab.journal.tokens(1) == answer("abc", count))
  }

  @Test("stopping writes down what there is; the job does not fail by it")
  func stop() throws {
    let lab = try Lab()
    lab.addRawClient().submit("abc", maxTokens: 40)
    lab.settle { lab.shell.core?.jobs.values.first?.tokens.count == 5 }
    let count = try #require(lab.shell.core?.jobs.values.first?.tokens.count)
    lab.handle.stop()
    lab.settle()
    #expect(lab.journal.tokens(1).count >= count)
    #expect(!lab.journal.entries.contains { if case .failed = $0 { true } else { false } })
    #expect(!lab.journal.entries.contains { if case .ended = $0 { true } else { false } })
  }

  @Test("open jobs of an earlier start go on where they were, with their ids and tokens", arguments: [0, 1, 7, 10])
  func restore(count: Int) throws {
    let jobs = [try stored(3, "abc", tokens: count), try stored(4, "def")]
    let lab = try Lab(configure: { configuration in
      configuration.storedJobs = jobs
      configuration.nextJob = 5
    })
    let client = lab.addRawClient()
    client.send(.attach(Attach(request: 1, job: 3, tokenCount: 0)))
    lab.settle()
    #expect(client.tokens(3) == answer("abc", 10) && client.text(3).utf8.count == 10)
    #expect(client.end(3)?.timing.completionTokens == 10)
    #expect(lab.journal.tokens(4) == answer("def", 10))
    client.submit("next")
    lab.settle()
    #expect(client.jobs.last == 5)
    #expect(lab.model.gaps == 0)
  }

  @Test("a job that no longer matches fails with the reason, and is never continued", arguments: 0..<5)
  func mismatch(kind: Int) throws {
    let other = try #require(Digest(bytes: Array(repeating: 7, count: Digest.byteCount)))
    let words = ["model", "numerics version", "kv", "combine", "context"]
    let job = try stored(3, kind == 4 ? String(repeating: "a", count: 300) : "abc", tokens: kind == 4 ? 0 : 2) { job in
      switch kind {
      case 0: job.model = other
      case 1: job.numericsVersion = 9
      case 2: job.kvType = .f32
      case 3: job.combine = .compact
      default: break
      }
    }
    let lab = try Lab(configure: { $0.storedJobs = [job] })
    let client = lab.addRawClient()
    client.send(.attach(Attach(request: 1, job: 3, tokenCount: 0)))
    lab.settle()
    #expect(lab.model.stepCount == 0)
    #expect(description(lab, 3)?.state == .failed && description(lab, 3)?.reason.contains(words[kind]) == true)
    #expect(client.failures.first?.sentence.contains(words[kind]) == true)
    guard case .failed(let id, let reason)? = lab.journal.entries.first else {
      Issue.record("the failure was not written down")
      return
    }
    #expect(id.rawValue == 3 && reason.contains(words[kind]))
  }

  @Test("whoever attaches in the middle gets the tokens that it does not have, then those to come; so do others")
  func attach() throws {
    let lab = try Lab()
    let first = lab.addRawClient("first")
    first.submit("abc", maxTokens: 40)
    lab.settle { lab.shell.core?.jobs.values.first?.tokens.count == 12 }
    let second = lab.addRawClient("second")
    second.send(.attach(Attach(request: 7, job: 1, tokenCount: 5)))
    first.send(.attach(Attach(request: 8, job: 1, tokenCount: 0)))
    lab.settle()
    let whole = answer("abc", 40)
    #expect(first.tokens(1) == whole && first.end(1)?.stopReason == .maxTokens)
    #expect(Lab.tokens(first.text(1)) == whole)
    #expect(second.tokens(1) == Array(whole[5...]))
    #expect(second.jobs == [1] && second.messages.count { if case .finished = $0 { true } else { false } } == 1)
  }

  @Test("whoever attaches after the end gets all of it at once")
  func attachLate() throws {
    let lab = try Lab()
    let client = lab.addRawClient()
    client.submit("abc")
    lab.settle()
    client.send(.attach(Attach(request: 7, job: 1, tokenCount: 4)))
    lab.settle()
    #expect(client.tokens(1) == Array(answer("abc", 10)[4...]))
    #expect(client.end(1)?.timing.completionTokens == 10 && client.end(1)?.stageCount == 1)
    client.send(.attach(Attach(request: 8, job: 99, tokenCount: 0)))
    lab.settle()
    #expect(client.failures.map(\.request) == [8])
  }

  @Test("jobs that were done before the coordinator began can be asked for")
  func attachOld() throws {
    let done = try stored(3, "abc", tokens: 10, state: .ended(.length, JobTimes(stageCount: 2, nodeCount: 3)))
    let failed = try stored(4, "def", tokens: 2, state: .failed(reason: "it was too much"))
    let lab = try Lab(configure: { $0.storedJobs = [done, failed] })
    let client = lab.addRawClient()
    for job in UInt64(3)...4 { client.send(.attach(Attach(request: job, job: job, tokenCount: 0))) }
    lab.settle()
    #expect(client.tokens(3) == answer("abc", 10) && client.end(3)?.stageCount == 2)
    #expect(client.tokens(4) == answer("def", 2) && client.failures.map(\.sentence) == ["it was too much"])
    #expect(lab.journal.entries.isEmpty)
  }

  @Test("a job is cancelled by anybody who knows its number; the others go on")
  func cancel() throws {
    let lab = try Lab(sequences: 1)
    let client = lab.addRawClient()
    client.submit("abc", request: 1, maxTokens: 40)
    client.submit("def", request: 2, maxTokens: 12)
    client.submit("ghi", request: 3, maxTokens: 12)
    lab.settle { lab.shell.core?.jobs.values.contains { $0.tokens.count > 3 } == true }
    let other = lab.addRawClient("other")
    other.send(.attach(Attach(request: 1, job: 1, tokenCount: 0)))
    for job: UInt64 in [1, 3, 77] { other.send(.cancelJob(CancelJob(request: job, job: job))) }
    lab.settle()
    #expect(other.end(1)?.stopReason == .cancelled)
    #expect(other.lists.map { $0.jobs.map(\.state) } == [[.cancelled], [.cancelled]])
    #expect(other.failures.map(\.request) == [77])
    #expect(lab.journal.tokens(2) == answer("def", 12))
    let states = lab.shell.core?.jobDescriptions().map(\.state)
    #expect(states == [.cancelled, .done, .cancelled])
    // Once more changes nothing.
    other.send(.cancelJob(CancelJob(request: 9, job: 2)))
    lab.settle()
    #expect(other.lists.last?.jobs.first?.state == .done)
  }

  @Test("the list says what runs, what waits and why, and what became of the rest")
  func list() throws {
    let failed = try stored(1, "old", tokens: 2, state: .failed(reason: "it was too much"))
    let lab = try Lab(
      sequences: 1, missing: ["reef"],
      configure: { configuration in
        configuration.bringUp = .patient
        configuration.storedJobs = [failed]
        configuration.nextJob = 2
        configuration.startTime = 1_000_000
      })
    let client = lab.addRawClient()
    lab.settle()
    lab.pass(.seconds(2))
    client.submit("abc", request: 1, maxTokens: 40)
    client.submit("def", request: 2, maxTokens: 40)
    lab.settle()
    client.send(.jobsRequest(JobsRequest(request: 5)))
    lab.settle()
    let waiting = try #require(client.lists.last)
    #expect(waiting.request == 5 && waiting.jobs.map(\.job) == [1, 2, 3])
    #expect(waiting.jobs.map(\.state) == [.failed, .waiting, .waiting])
    #expect(waiting.jobs[0].reason == "it was too much" && waiting.jobs[0].created == 1_700_000_000_000)
    #expect(waiting.jobs[1].created == 1_002_000 && !waiting.jobs[1].reason.isEmpty)
    lab.startWorker("reef")
    for _ in 0..<40 where lab.shell.core?.jobs.values.contains(where: { $0.tokens.count > 3 }) != true {
      lab.pass(.milliseconds(500))
      lab.settle { lab.shell.core?.jobs.values.contains { $0.tokens.count > 3 } == true }
    }
    client.send(.jobsRequest(JobsRequest(request: 6)))
    lab.settle { client.lists.last?.request == 6 }
    let running = try #require(client.lists.last)
    #expect(running.jobs.map(\.state) == [.failed, .running, .waiting])
    #expect(running.jobs[1].reason == "" && running.jobs[2].reason == "other jobs are before it")
    #expect(running.jobs[1].tokens > 3)
  }
}

import Cluster
import Coordinator
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@Suite("Coordinator running jobs")
struct CoordinatorJobTests {
  private func request(_ text: String, _ count: Int?) -> JobRequest {
    JobRequest(prompt: .text(text), maxTokens: count)
  }

  @Test("tokens and text stream in order and are summed up", arguments: [[0], [0, 1], [1, 0, 2]])
  func generation(hosts: [Int]) throws {
    let lab = try Lab(nodes: ["reef", "cove", "sound"], hosts: hosts)
    let prompt = "Once upon a time there was a king who"
    let (_, job) = lab.submit(request(prompt, 20))
    lab.settle()
    let expected = FakeModel.answer(to: Lab.tokens(prompt), count: 20)
    let summary = try #require(job.summary)
    #expect(job.hasStarted && job.endCount == 1)
    #expect(job.tokens == expected && summary.tokens == expected)
    #expect(job.text == summary.text)
    #expect(Lab.tokens(summary.text) == expected)
    #expect(summary.promptTokens == Lab.tokens(prompt))
    #expect(summary.stopReason == .length)
    #expect(summary.nodeCount == 3 && summary.stageCount == hosts.count)
    #expect(lab.model.caches.isEmpty, "the hosts still keep the sequence")
  }

  @Test("jobs side by side get what they get alone, more of them than fit at once wait")
  func sideBySide() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1], sequences: 3)
    let prompts = (0..<10).map { "prompt number \($0) " + String(repeating: "x", count: $0 * 7) }
    let jobs = prompts.map { lab.submit(request($0, 15)).1 }
    lab.settle()
    for (prompt, job) in zip(prompts, jobs) {
      #expect(job.tokens == FakeModel.answer(to: Lab.tokens(prompt), count: 15))
      #expect(job.summary != nil)
    }
  }

  @Test("a token that ends the answer ends it, unless it is to be ignored", arguments: [false, true])
  func endOfText(ignores: Bool) throws {
    let lab = try Lab()
    lab.model.lengths = [0x61: 6]
    var request = request("abc", 10)
    request.ignoreEOS = ignores
    let (_, job) = lab.submit(request)
    lab.settle()
    let summary = try #require(job.summary)
    #expect(summary.stopReason == (ignores ? .length : .stop))
    #expect(summary.tokens.count == (ignores ? 10 : 4))
    #expect(summary.tokens.contains(FakeModel.end))
    #expect(!summary.text.contains("<end>"))
  }

  @Test("logits of the prompt's last positions come in ascending order")
  func logits() throws {
    let lab = try Lab(prefillChunk: 4)
    let (_, job) = lab.submit(JobRequest(prompt: .text("abcdefghijklm"), logitRows: 6))
    lab.settle()
    var positions: [Int] = []
    for case .logits(let first, let rows, let values) in job.elements {
      positions += first..<first + rows
      #expect(values.count == rows * FakeModel.vocabularySize && values.first == Float(first))
    }
    #expect(positions == Array(7..<13))
    #expect(job.summary?.tokens.isEmpty == true)
  }

  @Test("requests that cannot be met fail on their own")
  func refusals() throws {
    let lab = try Lab(context: 32)
    lab.settle()
    let cases: [(JobRequest, CoordinatorError.Code)] = [
      (request("", 1), .badRequest), (request(String(repeating: "a", count: 40), 1), .promptTooLong),
      (request(String(repeating: "a", count: 40_000), 1), .promptTooLong),
      (JobRequest(prompt: .tokens([9999])), .badRequest),
      (JobRequest(prompt: .tokens([1]), maxTokens: -1), .badRequest),
      (JobRequest(prompt: .tokens([1]), logitRows: 2), .badRequest),
    ]
    for (request, code) in cases {
      let (_, job) = lab.submit(request)
      lab.settle()
      #expect(job.error?.code == code)
      #expect(job.elements.count == 1)
    }
    let (_, job) = lab.submit(request("ok", 3))
    lab.settle()
    #expect(job.summary?.tokens.count == 3)
  }

  @Test("a cancelled job ends at once with what it has; the others go on", arguments: 0..<12)
  func cancel(rounds: Int) throws {
    let lab = try Lab(sequences: 2)
    let (id, job) = lab.submit(request("first", 100))
    let (_, other) = lab.submit(request("second", 30))
    for _ in 0..<rounds { lab.advance() }
    lab.handle.cancel(id)
    lab.settle()
    let summary = try #require(job.summary)
    #expect(summary.stopReason == .cancelled && job.endCount == 1)
    let expected = FakeModel.answer(to: Lab.tokens("first"), count: 100)
    #expect(Array(expected.prefix(summary.tokens.count)) == summary.tokens && summary.tokens.count < 100)
    #expect(other.tokens == FakeModel.answer(to: Lab.tokens("second"), count: 30))
    #expect(lab.model.caches.isEmpty)
  }

  @Test("stopping fails what runs and refuses what comes")
  func stop() throws {
    let lab = try Lab()
    let (_, job) = lab.submit(request("abc", nil))
    for _ in 0..<10 { lab.advance() }
    lab.handle.stop()
    lab.settle()
    #expect(job.error?.code == .stopped)
    #expect(lab.shell.isStopped)
    let (_, late) = lab.submit(request("abc", 1))
    lab.settle()
    #expect(late.error?.code == .stopped)
  }

  @Test("a step that fails takes only its own jobs with it")
  func failedStep() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1], sequences: 2)
    let (_, job) = lab.submit(request("abc", 200))
    lab.settle { job.tokens.count > 5 }
    let worker = try #require(lab.worker("cove"))
    worker.lie = { outcome in
      .stepFailed(StepFailed(step: outcome.step, node: "reef", sentence: "a value is not finite"))
    }
    lab.advance()
    lab.settle { job.endCount > 0 }
    worker.lie = { .stepResult($0) }
    #expect(job.error?.code == .stepFailed && job.error?.node == "reef")
    #expect(job.error?.message.contains("not finite") == true)
    let (_, next) = lab.submit(request("next", 5))
    lab.settle()
    #expect(next.tokens == FakeModel.answer(to: Lab.tokens("next"), count: 5))
    #expect(lab.model.caches.isEmpty)
  }

  @Test("a step that is never answered is run again after its time, over new connections")
  func stuckStep() throws {
    let lab = try Lab()
    let worker = try #require(lab.worker("reef"))
    let (_, job) = lab.submit(request("abc", 10))
    worker.holdsSteps = true
    lab.settle()
    lab.pass(.seconds(590), by: .seconds(10))
    #expect(lab.epochs == [1])
    lab.pass(.seconds(20), by: .seconds(10))
    #expect(lab.epochs == [1, 2] && job.endCount == 0)
    worker.holdsSteps = false
    lab.settle()
    #expect(job.summary?.tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 10))
  }

  @Test("a step that was sent ahead has its time from when the one before it is through")
  func timeOfStepAhead() throws {
    let lab = try Lab()
    let worker = try #require(lab.worker("reef"))
    let (_, job) = lab.submit(request("abc", 10))
    lab.settle { job.tokens.count > 3 }
    worker.holdsSteps = true
    lab.settle()
    lab.pass(.seconds(400), by: .seconds(10))
    worker.runOneHeld()
    lab.settle()
    lab.pass(.seconds(590), by: .seconds(10))
    #expect(lab.epochs == [1])
    lab.pass(.seconds(20), by: .seconds(10))
    #expect(lab.epochs == [1, 2])
    worker.holdsSteps = false
    lab.settle()
    #expect(job.summary?.tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 10))
  }

  @Test("a lying worker is let go, and trusted again after a while; the tokens are right", arguments: 0..<8)
  func lies(kind: Int) throws {
    let lab = try Lab()
    let (_, job) = lab.submit(request("abc", 10))
    var lieCount = 0
    lab.worker("reef")?.lie = { outcome in
      guard let first = outcome.results.first, lieCount == 0, lab.model.stepCount > 3 else {
        return .stepResult(outcome)
      }
      lieCount += 1
      func with(_ result: StepResult) -> ControlMessage {
        .stepResult(StepOutcome(step: outcome.step, results: [result]))
      }
      let (sequence, position) = (first.sequence, first.position)
      switch kind {
      case 0: return .stepResult(StepOutcome(step: StepID(rawValue: 999), results: outcome.results))
      case 1: return .stepResult(StepOutcome(step: outcome.step, results: []))
      case 2:
        let other = SequenceID(rawValue: 77)
        return with(StepResult(sequence: other, position: position, outcome: first.outcome))
      case 3: return with(StepResult(sequence: sequence, position: position + 1, outcome: first.outcome))
      case 4:
        return with(
          StepResult(sequence: sequence, position: position, outcome: .token(257, logProbability: 0)))
      case 5: return with(StepResult(sequence: sequence, position: position, outcome: .none))
      case 6:
        let values = Array(repeating: Float(0), count: FakeModel.vocabularySize)
        return with(
          StepResult(sequence: sequence, position: position, outcome: .logits(rows: 1, values: values)))
      default: return .counters(NodeCounters())
      }
    }
    lab.settle()
    #expect(job.endCount == 0 && lieCount == 1)
    let notes = lab.status.elements.count { if case .note(let text) = $0 { text.contains("let go") } else { false } }
    // Counters that nobody asked for are no answer, and no harm; but the next step cannot be answered before this one.
    #expect(notes == 1)
    lab.pass(.seconds(14), by: .seconds(1))
    #expect(lab.worker("reef")?.isConnected == false)
    lab.pass(.seconds(2), by: .seconds(1))
    #expect(job.summary?.tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 10))
    #expect(lab.model.gaps == 0)
  }

  @Test("a second answer to a step changes nothing")
  func repeatedAnswer() throws {
    let lab = try Lab()
    let worker = try #require(lab.worker("reef"))
    worker.lie = { outcome in
      worker.send(.stepResult(outcome))
      return .stepResult(outcome)
    }
    let (_, job) = lab.submit(request("abc", 10))
    lab.settle()
    worker.lie = { .stepResult($0) }
    #expect(job.tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 10))
    #expect(job.summary?.tokens.count == 10)
  }

  @Test("an answer from a node that is not the last host has that node let go")
  func wrongNode() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1])
    let (_, job) = lab.submit(request("abc", 100))
    lab.settle { job.tokens.count > 3 }
    lab.worker("reef")?.send(.stepResult(StepOutcome(step: StepID(rawValue: 5), results: [])))
    lab.settle()
    #expect(lab.worker("reef")?.isConnected == false)
    #expect(job.summary?.tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 100))
  }

  @Test("a late result of another epoch is dropped")
  func lateResult() throws {
    let lab = try Lab()
    let (_, job) = lab.submit(request("abc", 10))
    lab.settle { job.tokens.count > 3 }
    let worker = try #require(lab.worker("reef"))
    worker.epoch = PlacementEpoch(rawValue: 0)
    worker.send(.stepResult(StepOutcome(step: StepID(rawValue: 1), results: [])))
    worker.epoch = PlacementEpoch(rawValue: 1)
    lab.settle()
    #expect(job.summary?.tokens.count == 10)
  }

  @Test("the wire's figures are what everyone sent while the job was there")
  func counters() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1])
    lab.weights.counters.weightBytes = 5000
    let (_, early) = lab.submit(request("abc", 10))
    lab.settle()
    let wire = try #require(early.summary?.wire)
    #expect(wire.nodes.map(\.node) == ["coordinator", "cove", "reef"])
    #expect(wire.total.weightBytes == 5000, "a job that was there from the start saw the weights move")
    #expect(wire.total.roundTrips == 14)
    #expect(wire.nodes.allSatisfy { $0.counters.controlBytes > 0 })
    #expect(wire.total.bytes == wire.total.controlBytes)
    let (_, second) = lab.submit(request("abc", 10))
    lab.settle()
    let (_, third) = lab.submit(request("abc", 10))
    lab.settle()
    let later = try #require(second.summary?.wire)
    #expect(later.total.weightBytes == 0 && later.total.roundTrips == 0)
    #expect(later.total.bytes < wire.total.bytes)
    #expect(third.summary?.wire == later, "the same job costs the same")
  }

  @Test("a job's summary says what each node did meanwhile, and nothing of nodes that do not tell")
  func work() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0, 1])
    let (_, first) = lab.submit(request("abc", 10))
    lab.settle()
    #expect(first.summary?.work.map(\.decode.roundTrips) == [7, 7])
    let (_, second) = lab.submit(request("abc", 10))
    lab.settle()
    let work = try #require(second.summary?.work)
    #expect(work.map(\.node) == ["cove", "reef"])
    // These workers say that each reading has cost a microsecond; a job needs one.
    #expect(work.allSatisfy { $0.decode.times.experts == 1000 && $0.decode.roundTrips == 0 })
    #expect(work.allSatisfy { $0.prefill == WorkTally() && $0.peakMemoryBytes == 1 << 20 })
    // A process that began anew counts from 0: all of it is new then.
    lab.worker("cove")?.bend = { message in
      if case .countersRequest = message { [.counters(NodeCounters())] } else { nil }
    }
    let (_, third) = lab.submit(request("abc", 10))
    lab.settle()
    #expect(third.summary?.work.first?.decode == WorkTally())
  }

  @Test("a node may be called coordinator")
  func namesake() throws {
    let lab = try Lab(nodes: ["(worker)", "coordinator"], hosts: [0])
    let (_, job) = lab.submit(request("abc", 3))
    lab.settle()
    #expect(job.summary?.wire.nodes.map(\.node) == ["(coordinator)", "(worker)", "coordinator"])
  }

  @Test("a node that never tells its counters does not hold up the end of a job")
  func missingCounters() throws {
    let lab = try Lab(nodes: ["reef", "cove"], hosts: [0])
    lab.worker("cove")?.bend = { message in if case .countersRequest = message { [] } else { nil } }
    let (_, job) = lab.submit(request("abc", 3))
    lab.settle()
    #expect(job.endCount == 0)
    lab.pass(.seconds(3))
    lab.settle()
    #expect(job.summary?.tokens.count == 3)
  }

  @Test("times add up")
  func timing() throws {
    let lab = try Lab()
    let (_, job) = lab.submit(request("abc", 3))
    lab.worker("reef")?.bend = { message in if case .activate = message { [] } else { nil } }
    lab.settle()
    lab.pass(.seconds(2))
    lab.worker("reef")?.epoch = PlacementEpoch(rawValue: 1)
    lab.worker("reef")?.send(.activated(Activated(epoch: PlacementEpoch(rawValue: 1), hasKeyValues: true)))
    lab.worker("reef")?.holdsSteps = true
    lab.settle()
    lab.pass(.seconds(3))
    lab.worker("reef")?.holdsSteps = false
    lab.settle()
    let timing = try #require(job.summary?.timing)
    #expect(timing.queue == 2 && timing.prefill == 3 && timing.firstToken == 5 && timing.decode == 0)
  }
}

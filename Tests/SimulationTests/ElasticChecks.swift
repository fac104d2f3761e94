import Cluster
import ClusterTestKit
import Kernels
import ModelSpec
import Scheduling
import Synchronization
import Tensors
import Wire

@testable import Coordinator
@testable import Engine
@testable import Worker

/// What must hold when all is quiet after a schedule.
enum ElasticChecks {
  /// Jobs of a simulation: short and long prompts, some over the end of a KV block, greedy and sampled.
  static let requests: [JobRequest] = {
    var random = SeededRandom(seed: 99)
    return (0..<8).map { index in
      let prompt = (0..<[3, 9, 61, 17, 30, 5, 58, 12][index]).map { _ in TokenID(UInt32(random.next(below: 256))) }
      let sampling: SamplingParameters =
        index % 3 == 0
        ? .greedy
        : SamplingParameters(temperature: 1, topK: 0, topP: 1, frequencyPenalty: 0.3, seed: UInt64(index))
      return JobRequest(
        prompt: .tokens(prompt), parameters: sampling, maxTokens: [12, 30, 8, 20, 5, 40, 16, 1][index], ignoreEOS: true)
    }
  }()

  static let model = Result { try SimulatedModel(.tiny) }

  /// What one node, alone, answers to each of the requests.
  static let answers = Result { () throws -> [SimulatedJob.Answer] in
    let model = try Self.model.get()
    return try requests.map { request in
      var options = Models.alone(model)
      options.context = 128
      options.subBatchRows = 512
      let cluster = try SimulatedCluster(model, options)
      let job = cluster.submit(request)
      try cluster.run()
      return job.answer
    }
  }

  /// Runs the schedule of a seed; returns what is wrong, empty when nothing is.
  static func problems(
    seed: UInt64, prepare: (SimulatedCluster) -> Void = { _ in }, inspect: (ElasticRun) -> Void = { _ in }
  ) -> [String] {
    do {
      let model = try Self.model.get()
      let schedule = ElasticSchedule(seed: seed, spec: model.spec, requests: requests.count)
      let run = try ElasticRun(schedule, model, requests, prepare: prepare)
      guard try run.run(until: isQuiet) else { return ["not quiet in time: " + unrest(run).joined(separator: "; ")] }
      let reader = run.cluster.startClient(listens: false)
      reader.connect()
      reader.askForJobs()
      for job in run.client.jobs.keys.sorted() { reader.attach(job) }
      _ = try run.cluster.settle(by: run.cluster.elapsed + .milliseconds(50)) { false }
      inspect(run)
      return try wrongAnswers(run, reader, answers.get()) + leftovers(run) + run.cluster.state.findLosses()
    } catch {
      return ["\(error)"]
    }
  }

  // MARK: - Quiet

  static func isQuiet(_ run: ElasticRun) -> Bool { unrest(run).isEmpty }

  /// What is still to be done.
  private static func unrest(_ run: ElasticRun) -> [String] {
    guard let core = run.coordinator?.shell.core else { return ["no coordinator"] }
    var unrest: [String] = []
    if !core.jobs.isEmpty { unrest.append("jobs \(core.jobs.keys.sorted())") }
    if !core.durable.writes.isEmpty { unrest.append("writes") }
    if !core.scheduler.isIdle { unrest.append("the scheduler") }
    if let transition = core.transition {
      unrest.append("a transition (\(transition.current.phase), awaited \(transition.current.awaited.sorted()))")
    }
    if core.running?.isBroken ?? true { unrest.append("nothing runs") }
    if core.running?.isStale ?? true { unrest.append("stale") }
    if core.running?.effective.hasSameShape(as: core.desired.placement) != true {
      unrest.append("another placement runs")
    }
    if core.scheduler.configuration.sequences != core.desired.sequences { unrest.append("other sequences") }
    for node in core.nodes.keys.sorted() where core.nodes[node]?.isJoined != true {
      unrest.append("\(node) is not there")
    }
    if !unrest.isEmpty { unrest.append("it says: \(core.waitingFor ?? "nothing"), refused: \(core.refusal ?? "no")") }
    return unrest
  }

  // MARK: - Answers

  private static func wrongAnswers(
    _ run: ElasticRun, _ reader: SimulatedClient, _ answers: [SimulatedJob.Answer]
  ) -> [String] {
    var problems: [String] = []
    for id in run.client.jobs.keys.sorted() {
      guard let known = run.client.jobs[id], let request = run.requestOfSubmission[known.submission] else { continue }
      let what = "durable job \(id) (submission \(known.submission), request \(request))"
      guard let read = reader.jobs[id], let end = read.end else {
        problems.append("\(what) has no end")
        continue
      }
      let mayBeCancelled = run.cancelled.contains(known.submission)
      let isCancelled = mayBeCancelled && end == .finished(.cancelled)
      if !isCancelled, end != .finished(.maxTokens) { problems.append("\(what) ended with \(end)") }
      problems += differences(what, read.tokens, read.probabilityBits, answers[request], isPrefix: isCancelled)
      problems += differences(
        what + ", as it was listened to", known.tokens, known.probabilityBits, answers[request],
        isPrefix: isCancelled || known.end == nil)
      if !reader.list.contains(where: { $0.job == id }) { problems.append("\(what) is not listed") }
    }
    for (submission, reason) in run.client.declined {
      problems.append("submission \(submission) was declined: \(reason)")
    }
    for (submission, job) in run.ordinary.sorted(by: { $0.key < $1.key }) {
      guard let request = run.requestOfSubmission[submission] else { continue }
      let what = "job of submission \(submission) (request \(request))"
      let isCancelled = run.cancelled.contains(submission) && job.summary?.stopReason == .cancelled
      if job.summary == nil { problems.append("\(what): \(job.failure.map { "\($0)" } ?? "no end")") }
      problems += differences(what, job.tokens, job.probabilityBits, answers[request], isPrefix: isCancelled)
    }
    return problems
  }

  private static func differences(
    _ what: String, _ tokens: [TokenID], _ bits: [UInt32], _ answer: SimulatedJob.Answer, isPrefix: Bool
  ) -> [String] {
    let wholeTokens = isPrefix ? Array(answer.tokens.prefix(tokens.count)) : answer.tokens
    let wholeBits = isPrefix ? Array(answer.probabilityBits.prefix(bits.count)) : answer.probabilityBits
    if tokens != wholeTokens {
      return ["\(what) has the tokens \(tokens.map(\.rawValue)), not \(wholeTokens.map(\.rawValue))"]
    }
    return bits == wholeBits ? [] : ["\(what) has other log-probabilities"]
  }

  // MARK: - Leaks

  private static func leftovers(_ run: ElasticRun) -> [String] {
    guard let core = run.coordinator?.shell.core, let running = core.running else { return ["no coordinator"] }
    var problems: [String] = []
    func expect(_ holds: Bool, _ what: String) { if !holds { problems.append(what) } }
    let scheduler = core.scheduler
    expect(scheduler.blocksFree == scheduler.configuration.blockCount, "the scheduler keeps blocks")
    expect(core.steps.isEmpty, "the coordinator keeps steps")
    expect(run.coordinator?.shell.sinks.isEmpty == true, "the coordinator keeps sinks")
    expect(Set(core.nodes.keys) == Set(core.desired.placement.nodes), "the coordinator keeps nodes")
    let links = core.nodes.values.compactMap(\.link)
    expect(core.links.count == links.count + core.clients.count, "the coordinator keeps links")
    if let accepted = run.cluster.state.topology {
      expect(accepted.placement.hasSameShape(as: core.desired.placement), "not the last accepted edit is wished for")
      expect(accepted.sequences == core.desired.sequences, "not the last accepted sequences are wished for")
    }
    for worker in run.cluster.workers where core.nodes[worker.node] != nil { problems += leftovers(worker, running) }
    return problems
  }

  private static func leftovers(_ worker: SimulatedWorker, _ running: RunningPlacement) -> [String] {
    var problems: [String] = []
    func expect(_ holds: Bool, _ what: String) { if !holds { problems.append("\(worker.node) \(what)") } }
    let shell = worker.shell
    if let engine = shell.running?.engine {
      expect(engine.isIdle, "has work")
      expect(engine.steps.isEmpty, "keeps steps")
      expect(engine.samplingStates.isEmpty, "keeps sampling states")
      expect(engine.keyValueBlocksInUse == 0, "keeps KV blocks")
      expect(shell.running?.imports == nil && shell.running?.exports == nil, "keeps keys and values on their way")
    }
    expect(shell.preparing == nil, "prepares something")
    let isMember = running.participants.contains(worker.node)
    expect(!isMember || shell.running?.epoch == running.epoch, "runs another placement")
    let index = running.placement.index(of: worker.node)
    let share = index.flatMap { index in (try? model.get()).map { running.placement.pieces(for: index, spec: $0.spec) }
    }
    let layouts = (share ?? []).compactMap { piece in (try? model.get())?.spec.layout(of: piece)?.memoryBytes }
    expect(
      worker.arena.bytesInUse == layouts.reduce(0, +),
      "holds \(worker.arena.bytesInUse) bytes of weights, its share has \(layouts.reduce(0, +))")
    return problems
  }
}

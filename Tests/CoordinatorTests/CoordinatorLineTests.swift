import Cluster
import Logging
import Scheduling
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

/// One thread that waits for a coordinator, which another thread plays by a script.
@Suite("CoordinatorLine", .serialized)
struct CoordinatorLineTests {
  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A coordinator on a port of loopback whose answers the test gives.
  private final class Scripted: Sendable {
    let address: HostPort
    /// Questions that have come.
    let questions = Mailbox<ControlMessage>(capacity: 1000)
    private let acceptor: Acceptor
    /// What has come; nil ends it all.
    private let inbox = Mailbox<ControlEvent?>(capacity: 1000)
    private let thread: PlatformThread

    /// - Parameter answer: what is sent for each message.
    init(
      listen: HostPort = HostPort(host: "127.0.0.1", port: 0),
      answer: @escaping @Sendable (ControlMessage) -> [ControlMessage]
    ) throws {
      let (inbox, questions) = (inbox, questions)
      let plane = TCPControlPlane(logger: CoordinatorLineTests.quiet) { _ = inbox.post($0) }
      acceptor = try Acceptor(
        listen: listen, logger: CoordinatorLineTests.quiet, handlers: [.control: { plane.adopt($0, remote: $1) }])
      address = acceptor.address
      thread = try PlatformThread {
        var links: Set<LinkID> = []
        while true {
          inbox.wait()
          guard let next = inbox.take() else { continue }
          guard let event = next else { break }
          guard case .received(let link, _, let message) = event else { continue }
          links.insert(link)
          questions.post(message)
          for answer in answer(message) {
            plane.send(answer, epoch: .init(rawValue: 0), term: CoordinatorTerm(rawValue: 1), on: link)
          }
        }
        for link in links { plane.close(link) }
      }
    }

    /// Hangs up on everybody, and listens no more.
    func stop() {
      acceptor.stop()
      inbox.post(nil)
      thread.join()
    }
  }

  private func line(_ address: HostPort) -> CoordinatorLine {
    CoordinatorLine(address, software: "test") { TCPControlPlane(logger: Self.quiet, sink: $0) }
  }

  private static var welcome: ControlMessage {
    .welcome(
      Welcome(
        numericsVersion: 1, node: "coordinator",
        capabilities: NodeCapabilities(
          instructionSet: "", cores: 0, memoryBytes: 0, readBandwidth: 0, software: "test"), model: nil))
  }

  private static func tokens(_ tokens: Range<Int>) -> ControlMessage {
    .tokens(
      GeneratedTokens(
        job: 7, tokens: tokens.map { GeneratedToken(token: TokenID(UInt32($0)), logProbability: -1) },
        text: tokens.map { UInt8(0x61 + $0) }))
  }

  private static let submitted = ControlMessage.submitted(Submitted(request: 1, job: 7, seed: 5, promptTokens: [1, 2]))
  private static let finished = ControlMessage.finished(
    JobFinished(
      job: 7, stopReason: .maxTokens, stageCount: 1,
      timing: JobTiming(promptTokens: 2, completionTokens: 6, queued: .zero, prefill: .zero, decode: .zero), traffic: []
    ))

  @Test("a question is asked after the hello, and its answer is returned")
  func ask() throws {
    let coordinator = try Scripted { message in
      switch message {
      case .hello: [Self.welcome]
      case .jobsRequest(let question):
        [.ping(Heartbeat(nonce: 1, progress: 0)), .jobList(.init(request: question.request, jobs: []))]
      default: []
      }
    }
    defer { coordinator.stop() }
    let answer = try line(coordinator.address).ask(.jobsRequest(JobsRequest(request: 4)), timeout: .seconds(30))
    #expect(answer == .jobList(JobList(request: 4, jobs: [])))
    guard case .hello(let hello)? = coordinator.questions.take() else {
      Issue.record("no hello came first")
      return
    }
    #expect(hello.role == .client && hello.software == "test")
  }

  @Test("what the coordinator says is wrong is thrown, with its code", arguments: [true, false])
  func refusals(isGreeted: Bool) throws {
    let coordinator = try Scripted { message in
      if case .hello = message { return isGreeted ? [Self.welcome] : [.refuse(Refuse(code: 3, sentence: "too many"))] }
      return [.jobFailed(JobFailed(request: 4, job: 0, code: 1, sentence: "there is no job 9"))]
    }
    defer { coordinator.stop() }
    let line = line(coordinator.address)
    let error = #expect(throws: CoordinatorError.self) {
      try line.ask(.attach(Attach(request: 4, job: 9, tokenCount: 0)), timeout: .seconds(30))
    }
    #expect(error?.code == (isGreeted ? .badRequest : .refused))
    #expect(error?.message.contains(isGreeted ? "there is no job 9" : "too many") == true)
  }

  @Test("where nobody listens the address is named; where nobody answers, the time; the line is not used then")
  func unreachable() throws {
    let silent = try Scripted { _ in [] }
    let patient = line(silent.address)
    let error = #expect(throws: CoordinatorError.self) { try patient.connect(timeout: .milliseconds(50)) }
    #expect(error?.code == .unreachable && error?.message.contains("\(silent.address)") == true)
    patient.send(.jobsRequest(JobsRequest(request: 1)))
    let address = silent.address
    silent.stop()
    let nobody = #expect(throws: CoordinatorError.self) { try line(address).connect(timeout: .seconds(30)) }
    #expect(nobody?.code == .unreachable && nobody?.message.contains("\(address)") == true)
    while let question = silent.questions.take() {
      if case .jobsRequest = question { Issue.record("a question went over a connection that was given up") }
    }
  }

  @Test("a job is followed across a restart of the coordinator: each token once, the whole answer at the end")
  func follow() throws {
    // The first coordinator says three tokens and is killed; the second one at its address has six.
    let first = try Scripted { message in
      switch message {
      case .hello: [Self.welcome]
      case .attach: [Self.submitted, Self.tokens(0..<3)]
      default: []
      }
    }
    let address = first.address
    var second: Scripted?
    var (events, losses): ([JobEvent], [CoordinatorError]) = ([], [])
    try line(address).follow(7, timeout: .seconds(30)) {
      losses.append($0)
      second = try? Scripted(listen: address) { message in
        switch message {
        case .hello: [Self.welcome]
        case .attach(let attach): [Self.submitted, Self.tokens(attach.tokenCount..<6), Self.finished]
        default: []
        }
      }
    } handle: { event in
      events.append(event)
      if case .tokens(let tokens) = event, tokens.tokens.first == 0 { first.stop() }
    }
    second?.stop()
    #expect(losses.count == 1 && losses.first?.code == .unreachable && second != nil)
    let tokens = events.flatMap { if case .tokens(let tokens) = $0 { tokens.tokens } else { [TokenID]() } }
    #expect(tokens == (0..<6).map { TokenID(UInt32($0)) })
    #expect(events.count { if case .started = $0 { true } else { false } } == 1)
    guard case .finished(let summary)? = events.last else {
      Issue.record("the end did not come")
      return
    }
    #expect(summary.tokens == tokens && summary.text == "abcdef" && summary.seed == 5)
  }

  @Test("a job that has failed ends following with its reason")
  func failed() throws {
    let coordinator = try Scripted { message in
      switch message {
      case .hello: [Self.welcome]
      case .attach: [Self.submitted, .jobFailed(JobFailed(request: 1, job: 7, code: 9, sentence: "too bad"))]
      default: []
      }
    }
    defer { coordinator.stop() }
    let error = #expect(throws: CoordinatorError.self) {
      try line(coordinator.address).follow(7, timeout: .seconds(30), lost: { _ in }, handle: { _ in })
    }
    #expect(error?.code == .stepFailed && error?.message == "too bad")
  }

  @Test("what the handler throws ends following")
  func handlerThrows() throws {
    struct Enough: Error {}
    let coordinator = try Scripted { message in
      switch message {
      case .hello: [Self.welcome]
      case .attach: [Self.submitted, Self.tokens(0..<3)]
      default: []
      }
    }
    defer { coordinator.stop() }
    #expect(throws: Enough.self) {
      try line(coordinator.address).follow(7, timeout: .seconds(30), lost: { _ in }) { _ in throw Enough() }
    }
  }
}

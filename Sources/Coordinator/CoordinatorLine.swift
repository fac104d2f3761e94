import Tensors
public import Transport
public import Wire

/// One connection to a coordinator on which the calling thread waits for what comes.
///
///     let line = CoordinatorLine(address, software: "0.1", makePlane: { TCPControlPlane(logger: logger, sink: $0) })
///     let answer = try line.ask(.jobsRequest(JobsRequest(request: 1)), timeout: .seconds(10))
public final class CoordinatorLine {
  private let address: HostPort
  private let software: String
  private let mailbox: Mailbox<ControlEvent>
  private let plane: any ControlPlane
  private var link: LinkID?
  private var isGreeted = false

  /// Nothing is dialled yet.
  /// - Parameters:
  ///   - software: release of this software, for people.
  ///   - makePlane: makes the plane whose events go to the sink.
  public init(_ address: HostPort, software: String, makePlane: (@escaping ControlSink) -> any ControlPlane) {
    self.address = address
    self.software = software
    let mailbox = Mailbox<ControlEvent>(capacity: CoordinatorHandle.mailboxCapacity)
    self.mailbox = mailbox
    plane = makePlane { _ = mailbox.post($0) }
  }

  deinit { if let link { plane.close(link) } }

  /// Connects and says hello.
  /// - Throws: `unreachable` or `refused`, naming the address.
  public func connect(timeout: Duration) throws(CoordinatorError) {
    if let link { plane.close(link) }
    isGreeted = false
    link = plane.dial(address, timeout: timeout)
    let deadline = ContinuousClock.now + timeout
    while !isGreeted {
      guard let message = try next(until: deadline) else {
        // Nothing may be asked on it before the hello: the next try makes another one.
        if let link { plane.close(link) }
        link = nil
        throw CoordinatorError(
          .unreachable, "the coordinator at \(address) did not answer within \(Int(timeout.seconds)) seconds")
      }
      guard case .welcome = message else { continue }
      isGreeted = true
    }
  }

  /// Sends a message on the connection.
  public func send(_ message: ControlMessage) {
    guard let link else { return }
    plane.send(message, epoch: PlacementEpoch(rawValue: 0), term: CoordinatorTerm(rawValue: 0), on: link)
  }

  /// The next message; nil when none came in time.
  /// - Throws: `unreachable` when the connection is gone or cannot be made, `refused` when the coordinator said so.
  public func next(until deadline: ContinuousClock.Instant?) throws(CoordinatorError) -> ControlMessage? {
    while true {
      guard let event = mailbox.take() else {
        if let deadline, ContinuousClock.now >= deadline { return nil }
        mailbox.wait(until: deadline)
        continue
      }
      switch event {
      case .opened(let opened, _) where opened == link:
        let hello = Hello(
          role: .client, numericsVersion: 0, cluster: ClusterID(high: 0, low: 0), term: .init(rawValue: 0), node: "",
          software: software)
        send(.hello(hello))
      case .received(let source, _, let message) where source == link:
        if case .refuse(let refusal) = message {
          throw CoordinatorError(.refused, "the coordinator at \(address) refused: \(refusal.sentence)")
        }
        if case .ping(let heartbeat) = message {
          send(.pong(heartbeat))
          continue
        }
        return message
      case .closed(let closed, let error) where closed == link:
        link = nil
        let what = isGreeted ? "was lost" : "cannot be reached"
        let reason = error.map { "\($0)" } ?? "it closed the connection"
        throw CoordinatorError(.unreachable, "the coordinator at \(address) \(what): \(reason)")
      default: break
      }
    }
  }

  /// Connects, asks one question and waits for its answer.
  /// - Throws: also what a `jobFailed` answer says.
  public func ask(_ question: ControlMessage, timeout: Duration) throws(CoordinatorError) -> ControlMessage {
    try connect(timeout: timeout)
    send(question)
    let deadline = ContinuousClock.now + timeout
    while let message = try next(until: deadline) {
      switch message {
      case .jobFailed(let failure):
        throw CoordinatorError(CoordinatorError.Code(rawValue: failure.code) ?? .badAnswer, failure.sentence)
      case .submitted, .jobList, .topologyStatus, .loadReport: return message
      default: continue
      }
    }
    throw CoordinatorError(
      .unreachable, "the coordinator at \(address) did not answer within \(Int(timeout.seconds)) seconds")
  }

  // MARK: - Following a job

  /// A job that is followed, and how far.
  private struct Followed {
    let job: UInt64
    var answer = ReceivedAnswer()
    var hasBegun = false
    var isAttached = false
  }

  /// Follows a durable job from its first token to its end, also across restarts of the coordinator.
  /// - Parameters:
  ///   - job: its number.
  ///   - timeout: for the first connection; later ones are tried until they stand.
  ///   - lost: told when the connection is lost and tried again.
  ///   - handle: gets the job's events, in order.
  /// - Throws: `CoordinatorError` when the coordinator cannot be reached at first, or the job has failed; whatever
  ///   `handle` throws.
  public func follow(
    _ job: UInt64, timeout: Duration, lost: (CoordinatorError) -> Void, handle: (JobEvent) throws -> Void
  ) throws {
    var followed = Followed(job: job)
    try connect(timeout: timeout)
    var isLost = false
    while true {
      let event: JobEvent
      do throws(CoordinatorError) {
        event = try nextEvent(of: &followed)
        isLost = false
      } catch {
        guard error.code == .unreachable else { throw error }
        if !isLost { lost(error) }
        isLost = true
        followed.isAttached = false
        pause(.milliseconds(200))
        continue
      }
      try handle(event)
      switch event {
      case .finished: return
      case .failed(let error): throw error
      case .started, .tokens, .logits: break
      }
    }
  }

  private static let pingInterval = Duration.seconds(5)
  private static let pingLimit = 4

  private func nextEvent(of followed: inout Followed) throws(CoordinatorError) -> JobEvent {
    if link == nil { try connect(timeout: .seconds(2)) }
    if !followed.isAttached {
      send(.attach(Attach(request: 1, job: followed.job, tokenCount: followed.answer.tokens.count)))
      followed.isAttached = true
    }
    var unanswered = 0
    while unanswered < Self.pingLimit {
      guard let message = try next(until: .now + Self.pingInterval) else {
        // A machine that dies says nothing, and TCP alone would wait for hours.
        unanswered += 1
        send(.ping(Heartbeat(nonce: UInt64(unanswered), progress: 0, isWorking: false)))
        continue
      }
      unanswered = 0
      switch message {
      case .submitted(let begin) where begin.job == followed.job:
        let event = followed.answer.begin(begin)
        guard !followed.hasBegun else { continue }
        followed.hasBegun = true
        return event
      case .tokens(let tokens) where tokens.job == followed.job: return followed.answer.grow(tokens)
      case .finished(let end) where end.job == followed.job: return .finished(followed.answer.summary(end))
      case .jobFailed(let failure):
        let code = CoordinatorError.Code(rawValue: failure.code) ?? .badAnswer
        return .failed(CoordinatorError(code, failure.sentence))
      default: continue
      }
    }
    if let link { plane.close(link) }
    link = nil
    throw CoordinatorError(.unreachable, "the coordinator at \(address) says nothing any more")
  }

  /// Lets time pass; what comes meanwhile belongs to a connection that is given up.
  private func pause(_ duration: Duration) {
    let deadline = ContinuousClock.now + duration
    while ContinuousClock.now < deadline {
      if mailbox.take() == nil { mailbox.wait(until: deadline) }
    }
  }
}

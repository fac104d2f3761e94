public import JobStore
import Scheduling
import Synchronization
import Tensors
public import Transport
import Wire

/// Submits jobs to a coordinator elsewhere. Belongs to one thread, which calls `run` or `advance`; jobs come from any
/// thread through its handle.
public final class CoordinatorClient {
  /// The thread-safe side of a client.
  public final class Handle: JobSubmitting {
    enum Item: Sendable {
      case control(ControlEvent)
      case submit(JobID, JobRequest, JobSink)
      case cancel(JobID)
      case stop
    }

    let mailbox = Mailbox<Item>(capacity: CoordinatorHandle.mailboxCapacity)
    private let jobCount = Atomic<UInt64>(0)
    let hasOverrun = Atomic<Bool>(false)

    public init() {}

    /// For the control plane.
    public var controlSink: ControlSink {
      { [self] event in
        if !mailbox.post(.control(event)) { hasOverrun.store(true, ordering: .relaxed) }
      }
    }

    @discardableResult
    public func submit(_ request: JobRequest, sink: @escaping JobSink) -> JobID {
      let id = JobID(rawValue: jobCount.add(1, ordering: .relaxed).newValue)
      if !mailbox.post(.submit(id, request, sink)) {
        sink(.failed(CoordinatorError(.busy, "too many jobs are waiting to be submitted")))
      }
      return id
    }

    public func cancel(_ job: JobID) { mailbox.post(.cancel(job)) }

    public func stop() { mailbox.post(.stop) }
  }

  public let handle: Handle
  private let plane: any ControlPlane
  private var core: ClientCore
  private var sinks: [JobID: JobSink] = [:]

  /// - Parameters:
  ///   - handle: the one whose `controlSink` the plane was made with.
  ///   - address: where the coordinator listens for clients.
  ///   - software: release of this software, for people.
  ///   - timeout: for the connection and the greeting.
  public init(
    handle: Handle, plane: any ControlPlane, address: HostPort, software: String, timeout: Duration = .seconds(10)
  ) {
    self.handle = handle
    self.plane = plane
    core = ClientCore(address: address, software: software, timeout: timeout)
  }

  /// Whether it was stopped, or has lost its coordinator; further jobs fail.
  public var isStopped: Bool { core.isStopped }

  /// When `advance` is due, should nothing happen before; nil for never.
  public var nextDeadline: ContinuousClock.Instant? { core.deadline }

  /// One round: handles what waits, and what is due at `now`. Returns whether anything was done.
  @discardableResult
  public func advance(now: ContinuousClock.Instant) -> Bool {
    var hasWorked = false
    if !core.hasStarted {
      hasWorked = true
      core.dialed(plane.dial(core.address, timeout: core.timeout), now: now)
    }
    if handle.hasOverrun.exchange(false, ordering: .relaxed) {
      perform(core.fail(CoordinatorError(.badAnswer, "the coordinator sends faster than its answers can be taken")))
    }
    while let item = handle.mailbox.take() {
      hasWorked = true
      switch item {
      case .control(let event): perform(core.control(event, now: now))
      case .submit(let job, let request, let sink):
        sinks[job] = sink
        perform(core.submit(job, request))
      case .cancel(let job): perform(core.cancel(job))
      case .stop: perform(core.fail(CoordinatorError(.stopped, "the client is stopping")))
      }
    }
    if let deadline = core.deadline, now >= deadline {
      hasWorked = true
      perform(core.timedOut())
    }
    return hasWorked
  }

  /// Goes round until it is stopped or has lost its coordinator.
  public func run() {
    while !isStopped {
      if !advance(now: .now) { handle.mailbox.wait(until: nextDeadline) }
    }
    handle.mailbox.close()
    advance(now: .now)
  }

  private func perform(_ directives: [ClientCore.Directive]) {
    for directive in directives {
      switch directive {
      case .send(let message, let link):
        plane.send(message, epoch: .init(rawValue: 0), term: .init(rawValue: 0), on: link)
      case .close(let link): plane.close(link)
      case .deliver(let event, let job):
        guard let sink = sinks[job] else { continue }
        if event.isLast { sinks[job] = nil }
        sink(event)
      }
    }
  }
}

extension JobEvent {
  /// Whether a job has no events after this one.
  var isLast: Bool {
    switch self {
    case .finished, .failed: true
    case .started, .tokens, .logits: false
    }
  }
}

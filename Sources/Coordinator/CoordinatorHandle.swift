public import JobStore
import Synchronization
public import Tensors
public import Transport

/// The thread-safe side of a coordinator: everything that reaches it from other threads goes through here.
///
/// Make one first; give its `controlSink` to the control plane and the handle itself to the `CoordinatorShell`.
public final class CoordinatorHandle: JobSubmitting {
  /// What waits for the shell.
  enum Item: Sendable {
    case event(CoordinatorEvent)
    case submit(JobID, JobRequest, JobSink)
  }

  let mailbox: Mailbox<Item>
  private let jobCount = Atomic<UInt64>(0)
  /// Links whose events no longer fitted into the mailbox; the shell closes them.
  private let overrun = Mutex<Set<LinkID>>([])

  /// Events that may wait for the shell.
  public static let mailboxCapacity = 1 << 16

  /// - Parameter onPost: called after anything has come for the shell, on the thread it came from; wakes a shell that does
  ///   not wait by itself.
  public init(onPost: (@Sendable () -> Void)? = nil) {
    mailbox = Mailbox(capacity: Self.mailboxCapacity, onPost: onPost)
  }

  /// For the control plane.
  public var controlSink: ControlSink {
    { [self] event in
      guard !mailbox.post(.event(.control(event))) else { return }
      // The shell is far behind. A link that loses a message can no longer be trusted to be in step.
      _ = overrun.withLock { $0.insert(event.link) }
    }
  }

  @discardableResult
  public func submit(_ request: JobRequest, sink: @escaping JobSink) -> JobID {
    // Durable jobs count from 1 on, those of clients from 1 << 48.
    let id = JobID(rawValue: 1 << 49 | jobCount.add(1, ordering: .relaxed).newValue)
    if !mailbox.post(.submit(id, request, sink)) {
      sink(.failed(CoordinatorError(.busy, "the coordinator takes no more jobs (too many are waiting, or it stops)")))
    }
    return id
  }

  public func cancel(_ job: JobID) { mailbox.post(.event(.cancel(job))) }

  public func stop() { mailbox.post(.event(.stop)) }

  /// A worker of this machine listens at `address`.
  public func nodeListens(_ node: NodeID, at address: HostPort) {
    mailbox.post(.event(.nodeListens(node, address)))
  }

  /// A worker of this machine could not be started, or has ended.
  public func nodeEnded(_ node: NodeID, _ error: CoordinatorError) {
    mailbox.post(.event(.nodeEnded(node, error)))
  }

  /// The topology file was saved.
  public func edited(_ edit: TopologyEdit) { mailbox.post(.event(.edited(edit))) }

  /// What the shell gave to the journal is on disk, or cannot be.
  func journaled(_ ticket: UInt64, _ error: JournalError?) { mailbox.post(.event(.journaled(ticket, error))) }

  func takeOverrunLinks() -> Set<LinkID> {
    overrun.withLock { links in
      defer { links = [] }
      return links
    }
  }
}

extension ControlEvent {
  /// The link it is about.
  fileprivate var link: LinkID {
    switch self {
    case .opened(let link, _), .received(let link, _, _), .closed(let link, _): link
    }
  }
}

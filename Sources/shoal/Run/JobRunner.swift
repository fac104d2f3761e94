import Coordinator
import Tensors
import Transport

/// Submits jobs and hands their events to the main thread, where SIGINT and SIGTERM arrive too.
final class JobRunner {
  private enum Item: Sendable {
    case job(Int, JobEvent)
    case signal(Int32)
  }

  private let cluster: RunningCluster
  private let mailbox: Mailbox<Item>
  private let signals: SignalWatch

  init(_ cluster: RunningCluster) {
    let mailbox = Mailbox<Item>(capacity: 1 << 16)
    self.cluster = cluster
    self.mailbox = mailbox
    signals = SignalWatch { mailbox.post(.signal($0)) }
  }

  deinit { signals.cancel() }

  /// Runs jobs side by side until all have ended.
  /// - Parameters:
  ///   - handle: called with a request's index and its events, in each job's order; what it throws ends all jobs.
  /// - Throws: the first job's failure, `ExitCode` on a signal, whatever `handle` throws.
  func run(_ requests: [JobRequest], limit: Int = .max, _ handle: (Int, JobEvent) throws -> Void) throws {
    var next = 0
    var open = 0
    while next < requests.count || open > 0 {
      while next < requests.count, open < limit {
        let index = next
        cluster.submitter.submit(requests[index]) { [mailbox] event in _ = mailbox.post(.job(index, event)) }
        next += 1
        open += 1
      }
      mailbox.wait()
      while let item = mailbox.take() {
        switch item {
        case .signal(let number):
          throw ExitStatus.code(signal: number)
        case .job(_, .failed(let error)): throw error
        case .job(let index, let event):
          if case .finished = event { open -= 1 }
          try handle(index, event)
        }
      }
    }
  }
}

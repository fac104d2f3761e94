import Coordinator
import Tensors
import Transport

/// Submits jobs and hands their events to the main thread, where SIGINT and SIGTERM arrive too.
final class JobRunner {
  private enum Item: Sendable {
    case job(Int, JobEvent, at: ContinuousClock.Instant)
    case signal(Int32)
  }

  private let cluster: RunningCluster
  private let requests: [JobRequest]
  private let limit: Int
  private let inGroups: Bool
  private let mailbox: Mailbox<Item>
  /// When each request was submitted, as far as it was.
  private(set) var submissions: [ContinuousClock.Instant] = []

  /// - Parameters:
  ///   - limit: how many jobs may be under way at once.
  ///   - inGroups: jobs begin in groups of `limit`, the next group once the last one has ended.
  init(_ cluster: RunningCluster, _ requests: [JobRequest], limit: Int = .max, inGroups: Bool = false) throws {
    self.cluster = cluster
    self.requests = requests
    self.limit = limit
    self.inGroups = inGroups
    let mailbox = Mailbox<Item>(capacity: Self.eventCount(requests))
    self.mailbox = mailbox
    try SignalWatch.start { mailbox.post(.signal($0)) }
  }

  /// Room for everything that the jobs can bring, so that no event is lost while standard output blocks: an event for
  /// each token and each row of logits, and a few at begin and end.
  private static func eventCount(_ requests: [JobRequest]) -> Int {
    requests.reduce(64) { count, request in
      let tokens = request.maxTokens ?? JobRequest.tokenCountMax
      return count + min(tokens, JobRequest.tokenCountMax) + request.logitRows + 8
    }
  }

  /// Runs the jobs side by side until all have ended.
  /// - Parameter handle: called with a request's index and its events, in each job's order; what it throws ends all
  ///   jobs.
  /// - Throws: the first job's failure, `ExitCode` on a signal, whatever `handle` throws.
  func run(_ handle: (Int, JobEvent) throws -> Void) throws {
    try runTimed { index, event, _ in try handle(index, event) }
  }

  /// Likewise; the time is that at which the coordinator, or its client here, told of the event.
  func runTimed(_ handle: (Int, JobEvent, ContinuousClock.Instant) throws -> Void) throws {
    var next = 0
    var open = 0
    while next < requests.count || open > 0 {
      while next < requests.count, open < limit, !inGroups || open == 0 || !next.isMultiple(of: limit) {
        let index = next
        submissions.append(.now)
        cluster.submitter.submit(requests[index]) { [mailbox] event in
          _ = mailbox.post(.job(index, event, at: .now))
        }
        next += 1
        open += 1
      }
      mailbox.wait()
      while let item = mailbox.take() {
        switch item {
        case .signal(let number): throw ExitStatus.code(signal: number)
        case .job(_, .failed(let error), _): throw error
        case .job(let index, let event, let time):
          if case .finished = event { open -= 1 }
          try handle(index, event, time)
        }
      }
    }
  }
}

extension JobRequest {
  /// More tokens than any context holds.
  fileprivate static let tokenCountMax = 1 << 31
}

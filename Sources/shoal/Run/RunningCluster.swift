import Coordinator
import Logging
import Synchronization
import Transport

/// A cluster that takes jobs; `stop` ends everything this process started for it.
final class RunningCluster: Sendable {
  let submitter: any JobSubmitting
  /// The coordinator of this process; nil when it is elsewhere.
  let handle: CoordinatorHandle?
  /// Where clients are taken in; nil when they are not.
  let address: HostPort?
  private let stopAll: @Sendable () -> Void
  private let isStopped = Mutex(false)

  init(
    submitter: any JobSubmitting, handle: CoordinatorHandle? = nil, address: HostPort? = nil,
    stop: @escaping @Sendable () -> Void
  ) {
    self.submitter = submitter
    self.handle = handle
    self.address = address
    stopAll = stop
  }

  /// Does nothing the second time.
  func stop() {
    let wasStopped = isStopped.withLock { stopped in
      defer { stopped = true }
      return stopped
    }
    if !wasStopped { stopAll() }
  }
}

extension Logger {
  /// Notes for operators, on standard error; quiet unless something is wrong. `SHOAL_LOG` sets the level.
  static var shoal: Logger {
    var logger = Logger(label: "shoal") { label in StreamLogHandler.standardError(label: label) }
    logger.logLevel = LogSettings.level
    return logger
  }
}

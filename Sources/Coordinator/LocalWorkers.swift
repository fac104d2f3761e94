import Synchronization
public import Tensors
import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What happens to the worker processes of this machine.
public enum LocalWorkerEvent: Sendable, Hashable {
  /// The worker listens there (`host:port`, as it said on its standard output).
  case listening(NodeID, address: String)
  /// The worker wrote a line to its standard error.
  case output(NodeID, line: String)
  /// The worker ended without being asked to.
  case exited(NodeID, CoordinatorError)
}

/// A worker to be started on this machine.
public struct LocalWorkerPlan: Sendable, Hashable {
  public let node: NodeID
  /// Everything behind the name of the program.
  public let arguments: [String]

  public init(node: NodeID, arguments: [String]) {
    self.node = node
    self.arguments = arguments
  }
}

/// Starts workers as child processes and takes them down again.
///
/// A worker's standard input is a pipe whose other end only this process holds: when this process ends, in whatever
/// way, the pipe closes and the worker ends too. A worker inherits nothing but its three standard streams. Its first
/// line of standard output must end in the address it listens on.
public final class LocalWorkers: Sendable {
  private let executable: String
  private let grace: Duration
  private let sink: @Sendable (LocalWorkerEvent) -> Void
  private let state = Mutex(State())

  private struct State {
    /// Running children, with the write end of the pipe that is their standard input (-1 once closed).
    var children: [pid_t: Int32] = [:]
    var isStopping = false
  }

  /// - Parameters:
  ///   - executable: the program to run; this very one, unless a test says otherwise.
  ///   - grace: how long a worker has to end by itself before it is killed.
  ///   - sink: receives the events, on a thread of its own.
  public init(
    executable: String = "/proc/self/exe", grace: Duration = .seconds(2),
    sink: @escaping @Sendable (LocalWorkerEvent) -> Void
  ) {
    self.executable = executable
    self.grace = grace
    self.sink = sink
  }

  deinit { stop() }

  /// Starts the workers; their addresses come as events.
  /// - Throws: `CoordinatorError` naming the worker that could not be started; those started before it are stopped.
  public func start(_ plans: [LocalWorkerPlan]) throws(CoordinatorError) {
    var started: [ChildOutput] = []
    for plan in plans {
      do {
        started.append(try spawn(plan))
      } catch {
        for child in started { child.closeStreams() }
        stop()
        throw error
      }
    }
    let children = started
    do throws(TransportError) {
      let watcher = try PlatformThread { [weak self] in
        var outputs = children
        while !outputs.isEmpty {
          ChildOutput.wait(for: outputs)
          guard let self else { break }
          outputs = self.advance(outputs)
        }
        for child in outputs { child.closeStreams() }
      }
      watcher.detach()
    } catch {
      for child in children { child.closeStreams() }
      stop()
      throw CoordinatorError(.startFailed, "the workers of this machine cannot be watched: \(error)")
    }
  }

  /// Ends all workers and waits until they are gone: closes their pipe, asks them with SIGTERM, kills them after the
  /// grace. Does nothing the second time.
  public func stop() {
    let pids = state.withLock { state in
      state.isStopping = true
      for (pid, pipe) in state.children {
        if pipe >= 0 { close(pipe) }
        state.children[pid] = -1
        kill(pid, SIGTERM)
      }
      return state.children.keys.sorted()
    }
    guard !pids.isEmpty else { return }
    if reapAll(until: ContinuousClock.now + grace) { return }
    state.withLock { state in
      for pid in state.children.keys { kill(pid, SIGKILL) }
    }
    _ = reapAll(until: ContinuousClock.now + .seconds(5))
  }

  /// Process ids of the workers that run.
  public var processIDs: [Int32] { state.withLock { $0.children.keys.sorted() } }

  private func spawn(_ plan: LocalWorkerPlan) throws(CoordinatorError) -> ChildOutput {
    let child: SpawnedChild
    do {
      child = try SpawnedChild.start(executable: executable, arguments: plan.arguments)
    } catch {
      throw CoordinatorError(
        .startFailed, node: plan.node, "the worker \(plan.node) could not be started: \(error.reason)")
    }
    state.withLock { $0.children[child.processID] = child.standardInput }
    return ChildOutput(
      node: plan.node, processID: child.processID, standardOutput: child.standardOutput,
      standardError: child.standardError)
  }

  /// Reads what the children wrote and looks who has ended; returns those that go on.
  private func advance(_ outputs: [ChildOutput]) -> [ChildOutput] {
    var remaining: [ChildOutput] = []
    for var output in outputs {
      for event in output.read() { sink(event) }
      guard let status = reap(output.processID) else {
        remaining.append(output)
        continue
      }
      // What it wrote just before its end is still in the pipes.
      for event in output.read() { sink(event) }
      output.closeStreams()
      if !state.withLock({ $0.isStopping }) { sink(.exited(output.node, output.failure(status))) }
    }
    return remaining
  }

  /// Status of a child that has ended; nil while it runs. -1 when `stop` has collected it.
  private func reap(_ pid: pid_t) -> Int32? {
    state.withLock { state in
      guard let pipe = state.children[pid] else { return -1 }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      if pipe >= 0 { close(pipe) }
      state.children[pid] = nil
      return status
    }
  }

  /// Collects children until none is left; false when some are at the deadline.
  private func reapAll(until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      let pids = state.withLock { $0.children.keys.sorted() }
      if pids.allSatisfy({ reap($0) != nil }) { return true }
      guard ContinuousClock.now < deadline else { return false }
      usleep(2_000)
    }
  }
}

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

  /// A running child.
  private struct Child {
    let node: NodeID
    /// Write end of the pipe that is its standard input; -1 once closed.
    var pipe: Int32
    /// When it is killed, having been asked to end.
    var killTime: ContinuousClock.Instant?
  }

  private struct State {
    var children: [pid_t: Child] = [:]
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

  /// Starts a worker; its address comes as an event.
  /// - Throws: `CoordinatorError` naming the worker that could not be started.
  public func start(_ plan: LocalWorkerPlan) throws(CoordinatorError) {
    guard !state.withLock({ $0.isStopping }) else { return }
    let child = try spawn(plan)
    do throws(TransportError) {
      let watcher = try PlatformThread { [weak self] in
        var outputs = [child]
        while !outputs.isEmpty {
          ChildOutput.wait(for: outputs)
          guard let self else { break }
          outputs = self.advance(outputs)
        }
        for child in outputs { child.closeStreams() }
      }
      watcher.detach()
    } catch {
      child.closeStreams()
      stop(plan.node)
      throw CoordinatorError(.startFailed, "the worker \(plan.node) cannot be watched: \(error)")
    }
  }

  /// Ends a node's worker, without waiting for it; no event tells of its end.
  public func stop(_ node: NodeID) {
    state.withLock { state in
      for (pid, child) in state.children where child.node == node && child.killTime == nil {
        if child.pipe >= 0 { close(child.pipe) }
        state.children[pid]?.pipe = -1
        state.children[pid]?.killTime = ContinuousClock.now + grace
        kill(pid, SIGTERM)
      }
    }
  }

  /// Ends all workers and waits until they are gone: closes their pipe, asks them with SIGTERM, kills them after the
  /// grace. None can be started afterwards.
  public func stop() {
    let nodes = state.withLock { state in
      state.isStopping = true
      return Set(state.children.values.map(\.node))
    }
    guard !nodes.isEmpty else { return }
    for node in nodes { stop(node) }
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
    state.withLock { $0.children[child.processID] = Child(node: plan.node, pipe: child.standardInput) }
    return ChildOutput(
      node: plan.node, processID: child.processID, standardOutput: child.standardOutput,
      standardError: child.standardError)
  }

  /// Reads what the children wrote and looks who has ended; returns those that go on.
  private func advance(_ outputs: [ChildOutput]) -> [ChildOutput] {
    var remaining: [ChildOutput] = []
    for var output in outputs {
      tell(output.read(), of: output.processID)
      killLate(output.processID)
      guard let (status, wasAsked) = reap(output.processID) else {
        remaining.append(output)
        continue
      }
      // What it wrote just before its end is still in the pipes.
      tell(output.read(), of: output.processID)
      output.closeStreams()
      if !wasAsked { sink(.exited(output.node, output.failure(status))) }
    }
    return remaining
  }

  /// A child that was asked to end is no news any more: its node may have a new worker.
  private func tell(_ events: [LocalWorkerEvent], of pid: pid_t) {
    let isEnding = state.withLock { $0.children[pid]?.killTime != nil }
    for event in events {
      if isEnding, case .listening = event { continue }
      sink(event)
    }
  }

  private func killLate(_ pid: pid_t) {
    state.withLock { state in
      guard let time = state.children[pid]?.killTime, time <= ContinuousClock.now else { return }
      kill(pid, SIGKILL)
    }
  }

  /// Status of a child that has ended, and whether it was asked to; nil while it runs. -1 when `stop` has collected it.
  private func reap(_ pid: pid_t) -> (status: Int32, wasAsked: Bool)? {
    state.withLock { state in
      guard let child = state.children[pid] else { return (-1, true) }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      if child.pipe >= 0 { close(child.pipe) }
      state.children[pid] = nil
      return (status, child.killTime != nil)
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

import Coordinator
import Foundation
import Tensors
import Testing
import Transport

@Suite("LocalWorkers", .serialized)
struct LocalWorkersTests {
  private let events = Mailbox<LocalWorkerEvent>(capacity: 1000)

  private func workers(grace: Duration = .seconds(5)) -> LocalWorkers {
    LocalWorkers(executable: "/bin/sh", grace: grace) { [events] in events.post($0) }
  }

  private func plan(_ script: String) -> LocalWorkerPlan {
    LocalWorkerPlan(node: "reef", arguments: ["-c", script])
  }

  private func next() throws -> LocalWorkerEvent {
    events.wait(until: .now + .seconds(20))
    return try #require(events.take(), "nothing happened for 20 seconds")
  }

  private func isAlive(_ pid: Int32) -> Bool { kill(pid, 0) == 0 }

  @Test("the address is the end of the first line that has one; closing its input ends the worker")
  func startAndStop() throws {
    let workers = workers()
    try workers.start(plan("echo shoal worker; echo listening on 127.0.0.1:4567; cat"))
    #expect(try next() == .listening("reef", address: "127.0.0.1:4567"))
    let pid = try #require(workers.processIDs.first)
    #expect(isAlive(pid))
    workers.stop()
    #expect(!isAlive(pid) && workers.processIDs.isEmpty)
    #expect(events.take() == nil, "an end that was asked for is no event")
  }

  @Test("a worker that heeds nothing is killed after the grace")
  func stubborn() throws {
    let workers = workers(grace: .milliseconds(50))
    try workers.start(plan("trap '' TERM; echo at 127.0.0.1:1; while :; do read x; done"))
    #expect(try next() == .listening("reef", address: "127.0.0.1:1"))
    let pid = try #require(workers.processIDs.first)
    workers.stop()
    #expect(!isAlive(pid))
  }

  @Test("an early end is reported with its status and its last words")
  func earlyExit() throws {
    let workers = workers()
    try workers.start(plan("echo first >&2; echo the port is busy >&2; exit 69"))
    #expect(try next() == .output("reef", line: "first"))
    #expect(try next() == .output("reef", line: "the port is busy"))
    guard case .exited("reef", let error) = try next() else {
      Issue.record("no exit was reported")
      return
    }
    #expect(error.code == .startFailed && error.node == "reef")
    #expect(error.message == "the local worker reef ended with status 69; its last words: the port is busy")
    workers.stop()
  }

  @Test("a worker killed from outside is reported with the signal")
  func killed() throws {
    let workers = workers()
    try workers.start(plan("echo at 127.0.0.1:2; cat"))
    _ = try next()
    kill(try #require(workers.processIDs.first), SIGKILL)
    guard case .exited("reef", let error) = try next() else {
      Issue.record("no exit was reported")
      return
    }
    #expect(error.code == .workerLost && error.message.contains("signal 9"))
  }

  @Test("a worker inherits nothing but its three streams")
  func descriptors() throws {
    let file = open("/dev/null", O_RDONLY)
    defer { close(file) }
    let workers = workers()
    // `ls` itself holds one more: the folder it reads.
    try workers.start(plan("echo $(ls /proc/self/fd | tr '\\n' ,) >&2; echo at 127.0.0.1:3; cat"))
    var output: String?
    while output == nil { if case .output(_, let line) = try next() { output = line } }
    #expect(output == "0,1,2,3,")
    workers.stop()
  }

  @Test("a program that does not exist cannot be started")
  func noProgram() {
    let workers = LocalWorkers(executable: "/nonexistent/shoal") { _ in }
    #expect {
      try workers.start(plan("true"))
    } throws: { error in
      (error as? CoordinatorError)?.code == .startFailed && "\(error)".contains("reef")
    }
  }

  @Test("several workers are told apart, and all end together")
  func several() throws {
    let workers = workers()
    for index in 1...3 {
      try workers.start(
        LocalWorkerPlan(node: NodeID("node \(index)"), arguments: ["-c", "echo at 127.0.0.1:\(index); cat"]))
    }
    var found: Set<String> = []
    while found.count < 3 {
      if case .listening(let node, let address) = try next() { found.insert("\(node) \(address)") }
    }
    #expect(found == ["node 1 127.0.0.1:1", "node 2 127.0.0.1:2", "node 3 127.0.0.1:3"])
    let pids = workers.processIDs
    workers.stop()
    #expect(pids.count == 3 && !pids.contains(where: isAlive))
  }

  @Test("one of several workers is ended alone, without an event, and can be started again")
  func single() throws {
    let workers = workers()
    func start(_ node: NodeID, port: Int) throws {
      try workers.start(LocalWorkerPlan(node: node, arguments: ["-c", "echo at 127.0.0.1:\(port); cat"]))
    }
    try start("reef", port: 1)
    #expect(try next() == .listening("reef", address: "127.0.0.1:1"))
    let first = try #require(workers.processIDs.first)
    try start("cove", port: 2)
    #expect(try next() == .listening("cove", address: "127.0.0.1:2"))
    workers.stop("reef")
    workers.stop("nobody")
    try start("reef", port: 3)
    #expect(try next() == .listening("reef", address: "127.0.0.1:3"))
    workers.stop()
    #expect(!isAlive(first) && workers.processIDs.isEmpty && events.take() == nil)
    try start("reef", port: 4)
    #expect(workers.processIDs.isEmpty, "none can be started after the end")
  }

  @Test("one worker that heeds nothing is killed after the grace, while the others go on")
  func stubbornSingle() throws {
    let workers = workers(grace: .milliseconds(20))
    try workers.start(plan("trap '' TERM; echo at 127.0.0.1:1; while :; do read x; done"))
    #expect(try next() == .listening("reef", address: "127.0.0.1:1"))
    let first = try #require(workers.processIDs.first)
    try workers.start(LocalWorkerPlan(node: "cove", arguments: ["-c", "echo at 127.0.0.1:2; cat"]))
    #expect(try next() == .listening("cove", address: "127.0.0.1:2"))
    workers.stop("reef")
    while isAlive(first) { sched_yield() }
    #expect(workers.processIDs.count == 1 && events.take() == nil)
    workers.stop()
  }
}

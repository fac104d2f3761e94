import Cluster
import Logging
import Scheduling
import Synchronization
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

@Suite("Coordinator over TCP, on threads", .serialized)
struct CoordinatorTCPTests {
  private static var quiet: Logger {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
  }

  /// A fake worker on a thread of its own, listening on loopback.
  private final class WorkerThread: Sendable {
    let address: HostPort
    private let wakes: Mailbox<Bool>
    private let thread: PlatformThread

    init(_ node: NodeID) throws {
      let addresses = Mailbox<HostPort>(capacity: 1)
      let wakes = Mailbox<Bool>(capacity: 1 << 16)
      self.wakes = wakes
      let logger = CoordinatorTCPTests.quiet
      thread = try PlatformThread {
        var acceptor: Acceptor?
        let worker = FakeWorker(node, model: FakeModel()) { sink in
          let plane = TCPControlPlane(logger: logger) { event in
            sink(event)
            wakes.post(true)
          }
          acceptor = try? Acceptor(
            listen: HostPort(host: "127.0.0.1", port: 0), logger: logger,
            handlers: [.control: { plane.adopt($0, remote: $1) }])
          return plane
        }
        if let acceptor { addresses.post(acceptor.address) }
        var isRunning = true
        while isRunning {
          wakes.wait()
          while let goesOn = wakes.take() { isRunning = isRunning && goesOn }
          while worker.advance() {}
        }
        acceptor?.stop()
      }
      addresses.wait(until: .now + .seconds(20))
      address = try #require(addresses.take())
    }

    func stop() {
      wakes.post(false)
      thread.join()
    }
  }

  private func wait(for events: Mailbox<JobEvent>) throws -> (tokens: [TokenID], end: JobEvent) {
    var tokens: [TokenID] = []
    while events.wait(until: .now + .seconds(60)) {
      while let event = events.take() {
        switch event {
        case .tokens(let more): tokens += more.tokens
        case .finished, .failed: return (tokens, event)
        case .started, .logits: break
        }
      }
    }
    throw CoordinatorError(.unreachable, "nothing came for a minute")
  }

  @Test("a coordinator, a worker and clients talk over sockets; the coordinator ends when told to")
  func wholeWay() throws {
    let worker = try WorkerThread("reef")
    let handle = CoordinatorHandle()
    let plane = TCPControlPlane(logger: Self.quiet, sink: handle.controlSink)
    let acceptor = try Acceptor(
      listen: HostPort(host: "127.0.0.1", port: 0), logger: Self.quiet,
      handlers: [.control: { plane.adopt($0, remote: $1) }])
    let configuration = try Lab.configuration([NodePlace("reef", worker.address)], hosts: [0])
    let coordinator = try PlatformThread {
      CoordinatorShell(handle: handle, configuration: configuration, plane: plane, weights: FakeWeights()).run()
    }
    let local = Mailbox<JobEvent>(capacity: 1000)
    handle.submit(JobRequest(prompt: .text("abc"), maxTokens: 20)) { local.post($0) }
    #expect(try wait(for: local).tokens == FakeModel.answer(to: Lab.tokens("abc"), count: 20))

    let client = CoordinatorClient.Handle()
    let clientPlane = TCPControlPlane(logger: Self.quiet, sink: client.controlSink)
    let address = acceptor.address
    let clientThread = try PlatformThread {
      CoordinatorClient(handle: client, plane: clientPlane, address: address, software: "test").run()
    }
    let remote = Mailbox<JobEvent>(capacity: 1000)
    client.submit(JobRequest(prompt: .text("def"), maxTokens: 20)) { remote.post($0) }
    let (tokens, end) = try wait(for: remote)
    #expect(tokens == FakeModel.answer(to: Lab.tokens("def"), count: 20))
    guard case .finished(let summary) = end else {
      Issue.record("\(end)")
      return
    }
    #expect(summary.wire.total.controlBytes > 0)

    handle.stop()
    coordinator.join()
    clientThread.join()
    acceptor.stop()
    worker.stop()
    let late = Mailbox<JobEvent>(capacity: 10)
    client.submit(JobRequest(prompt: .text("late"))) { late.post($0) }
    #expect(late.count == 1)
  }
}

import Kernels
import ShardStore
import Tensors
import Testing
import Transport
import Wire

@testable import Worker

@Suite struct WorkerSessionTests {
  let bench: WorkerBench
  let reef: WorkerBench.Node

  init() throws {
    bench = try WorkerBench()
    reef = try bench.start("reef")
  }

  @Test("a coordinator is welcomed with what the worker can do")
  func welcome() throws {
    let coordinator = ScriptedCoordinator(bench)
    let link = coordinator.greet("reef", as: "cove")
    guard case .welcome(let welcome)? = coordinator.take(link).first else {
      Issue.record("no welcome")
      return
    }
    #expect(welcome.node == "cove" && welcome.numericsVersion == Kernels.numericsVersion && welcome.model == nil)
    #expect(welcome.capabilities.cores == 1)
    #expect(welcome.capabilities.instructionSet == (try Kernels.select().instructionSet.rawValue))
  }

  @Test("another numerics version is refused, naming both")
  func numerics() {
    let coordinator = ScriptedCoordinator(bench)
    let link = coordinator.greet("reef", numerics: 77)
    let sentence = coordinator.take(link).refusals.first ?? ""
    #expect(sentence.contains("version 77") && sentence.contains("version \(Kernels.numericsVersion)"))
    #expect(coordinator.isClosed(link) && reef.shell.session == nil)
  }

  @Test("a client is sent to the coordinator")
  func client() {
    let coordinator = ScriptedCoordinator(bench)
    let link = coordinator.greet("reef", role: .client)
    #expect(coordinator.take(link).refusals.first?.contains("coordinator") == true && coordinator.isClosed(link))
  }

  @Test("while a coordinator's connection lives another is refused, naming both clusters")
  func second() {
    let first = ScriptedCoordinator(bench)
    let link = first.greet("reef")
    for (cluster, term) in [(UInt64(2), UInt32(9)), (1, 1), (1, 0)] {
      let other = ScriptedCoordinator(bench, "other \(cluster) \(term)", cluster: cluster, term: term)
      let otherLink = other.greet("reef")
      let sentence = other.take(otherLink).refusals.first ?? ""
      #expect(sentence.contains("\(first.cluster)") && sentence.contains("\(other.cluster)"), "\(sentence)")
      #expect(other.isClosed(otherLink))
    }
    #expect(!first.isClosed(link))
    #expect(first.ask(.ping(Heartbeat(nonce: 5, progress: 0)), on: link).count == 1)
  }

  @Test("a higher term of the same cluster takes over at once, and the old connection is told and closed")
  func takeover() {
    let old = ScriptedCoordinator(bench)
    let oldLink = old.greet("reef")
    old.run(bench.single(), on: [oldLink])
    let new = ScriptedCoordinator(bench, "new", term: 2)
    let link = new.greet("reef")
    #expect(new.take(link).isWelcome)
    #expect(old.take(oldLink).refusals.first?.contains("newer") == true && old.isClosed(oldLink))
    #expect(reef.shell.running == nil && !reef.shell.held.isEmpty)
    #expect(new.run(bench.single(), on: [link]).first?.isActivated == true)
    #expect(new.logits(1, prompt, on: [link]) != nil)
  }

  @Test("who says nothing is hung up on, who says hello is not")
  func silence() {
    let coordinator = ScriptedCoordinator(bench)
    let silent = coordinator.dial("reef")
    bench.drive()
    bench.now += .seconds(5)
    let speaking = coordinator.greet("reef")
    bench.now += .seconds(4.9)
    bench.drive()
    #expect(!coordinator.isClosed(silent))
    bench.now += .seconds(0.2)
    bench.drive()
    #expect(coordinator.isClosed(silent))
    bench.now += .seconds(100)
    bench.drive()
    #expect(!coordinator.isClosed(speaking))
  }

  @Test("who speaks before hello, says it twice, or sends what no coordinator sends is hung up on")
  func manners() {
    let coordinator = ScriptedCoordinator(bench)
    let rude = coordinator.dial("reef")
    #expect(coordinator.ask(.countersRequest, on: rude).refusals.first?.contains("hello") == true)
    #expect(coordinator.isClosed(rude))
    let twice = coordinator.greet("reef")
    let hello = Hello(
      role: .coordinator, numericsVersion: Kernels.numericsVersion, cluster: ClusterID(high: 9, low: 9),
      term: coordinator.term, node: "reef", software: "test")
    #expect(coordinator.ask(.hello(hello), on: twice).refusals.first?.contains("once") == true)
    #expect(coordinator.isClosed(twice) && reef.shell.session == nil)
    let odd = coordinator.greet("reef")
    #expect(
      coordinator.ask(.activated(Activated(epoch: coordinator.epoch, hasKeyValues: true)), on: odd).refusals.count == 1)
    #expect(coordinator.isClosed(odd))
    #expect(coordinator.take(coordinator.greet("reef")).isWelcome)
  }

  @Test("a message of another term is not obeyed")
  func otherTerm() {
    let coordinator = ScriptedCoordinator(bench)
    let link = coordinator.greet("reef")
    coordinator.send(.ping(Heartbeat(nonce: 1, progress: 0)), on: link, term: 3)
    bench.drive()
    #expect(!coordinator.take(link).contains { if case .pong = $0 { true } else { false } })
    #expect(coordinator.ask(.ping(Heartbeat(nonce: 1, progress: 0)), on: link).count == 1)
  }

  @Test("heartbeats are answered with their nonce, counters with what was sent, and shutdown ends the loop")
  func housekeeping() {
    let coordinator = ScriptedCoordinator(bench)
    let link = coordinator.greet("reef")
    guard case .pong(let pong)? = coordinator.ask(.ping(Heartbeat(nonce: 42, progress: 0)), on: link).first else {
      Issue.record("no answer")
      return
    }
    #expect(pong.nonce == 42)
    guard case .counters(let counters)? = coordinator.ask(.countersRequest, on: link).first else {
      Issue.record("no counters")
      return
    }
    #expect(counters.traffic.controlFrames == 2 && counters.traffic.dataFrames == 0)
    #expect(counters.decode == WorkTally() && counters.prefill == WorkTally())
    coordinator.ask(.shutdown, on: link)
    #expect(reef.shell.isStopped)
  }

  @Test("when the link is lost the weights stay, and the next coordinator's order moves and reads nothing")
  func reconnect() throws {
    let first = ScriptedCoordinator(bench)
    let link = first.greet("reef")
    first.run(bench.single(), on: [link])
    let expected = try #require(first.logits(1, prompt, on: [link]))
    let slots = Set(reef.shell.held.values.map { ObjectIdentifier($0) })
    let bytes = reef.arena.bytesInUse
    bench.network.cut("coordinator", "reef")
    bench.drive()
    #expect(reef.shell.session == nil && reef.shell.running == nil && reef.arena.bytesInUse == bytes)
    let second = ScriptedCoordinator(bench, "second", cluster: 2)
    let newLink = second.greet("reef")
    guard case .welcome(let welcome)? = second.take(newLink).first else {
      Issue.record("no welcome")
      return
    }
    #expect(welcome.model == bench.manifest.modelID)
    let messages = second.run(bench.single(), on: [newLink])[0]
    #expect(messages.isActivated && messages.bytesMoved == 0)
    #expect(Set(reef.shell.held.values.map { ObjectIdentifier($0) }) == slots && reef.arena.bytesInUse == bytes)
    #expect(second.logits(1, prompt, on: [newLink]) == expected)
  }
}

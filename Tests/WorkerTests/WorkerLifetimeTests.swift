import ModelSpec
import Kernels
import ShardStore
import Tensors
import Testing
import Transport
import Wire

@testable import Worker

/// Shares that come late, or for somebody who is gone.
@Suite struct WorkerLifetimeTests {
  let bench: WorkerBench
  let reef: WorkerBench.Node
  let loader: HeldLoader

  init() throws {
    let bench = try WorkerBench()
    let kernels = try Kernels.select()
    var held: HeldLoader?
    reef = try bench.start("reef") { arena in
      let loader = HeldLoader(
        ShareLoader(
          arena: arena, kernels: kernels, store: nil, isInline: true,
          sources: { [source = bench.source] _ in [source] },
          warning: { _ in }))
      held = loader
      return loader
    }
    self.bench = bench
    loader = try #require(held)
  }

  @Test("a load for the coordinator before fails nobody's preparation, though both count their epochs from one")
  func otherCoordinatorsLoad() throws {
    let first = ScriptedCoordinator(bench)
    let oldLink = first.greet("reef")
    let wrong = try #require(Digest(bytes: [UInt8](repeating: 7, count: 32)))
    first.ask(
      .prepare(bench.order(bench.single()) { [$0[0].with(digest: wrong)] + $0.dropFirst() }), on: oldLink)
    first.close(oldLink)
    bench.drive()
    let second = ScriptedCoordinator(bench, "second", cluster: 2)
    let link = second.greet("reef")
    second.ask(.prepare(bench.order(bench.single())), on: link)
    #expect(loader.count == 2)
    loader.run(0)
    bench.drive()
    #expect(second.take(link).isEmpty && reef.shell.preparing != nil)
    loader.run(1)
    bench.drive()
    #expect(second.take(link).isPrepared)
    #expect(second.ask(.activate(Activate(epoch: second.epoch, movesKeyValues: false)), on: link).isActivated)
    #expect(second.logits(1, prompt, on: [link]) == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("a share that comes after its order was replaced changes nothing, and its memory goes back")
  func replaced() throws {
    let coordinator = ScriptedCoordinator(bench)
    let link = coordinator.greet("reef")
    coordinator.ask(.prepare(bench.order(bench.single(1))), on: link)
    loader.run(0)
    coordinator.ask(.activate(Activate(epoch: PlacementEpoch(rawValue: 1), movesKeyValues: false)), on: link)
    let expected = try #require(coordinator.logits(1, prompt, on: [link]))
    let bytes = reef.arena.bytesInUse
    coordinator.ask(.prepare(bench.order(bench.single(2))), on: link)
    coordinator.ask(.prepare(bench.order(bench.single(3))), on: link)
    loader.run(2)
    loader.run(1)
    bench.drive()
    #expect(coordinator.take(link).filter { if case .prepared = $0 { true } else { false } }.count == 1)
    #expect(reef.arena.bytesInUse == bytes)
    #expect(coordinator.logits(2, prompt, on: [link]) == expected)
    coordinator.ask(.activate(Activate(epoch: PlacementEpoch(rawValue: 2), movesKeyValues: false)), on: link)
    #expect(reef.shell.running?.epoch == PlacementEpoch(rawValue: 1))
    coordinator.ask(.activate(Activate(epoch: PlacementEpoch(rawValue: 3), movesKeyValues: false)), on: link)
    coordinator.epoch = PlacementEpoch(rawValue: 3)
    #expect(reef.shell.running?.epoch == PlacementEpoch(rawValue: 3) && reef.arena.bytesInUse == bytes)
    #expect(coordinator.logits(3, prompt, on: [link]) == expected)
  }

  @Test("a share that is loaded when its coordinator is gone serves the next one")
  func orphan() throws {
    let first = ScriptedCoordinator(bench)
    let oldLink = first.greet("reef")
    first.ask(.prepare(bench.order(bench.single())), on: oldLink)
    first.close(oldLink)
    bench.drive()
    loader.run(0)
    bench.drive()
    let slots = Set(reef.shell.held.values.map { ObjectIdentifier($0) })
    #expect(slots.count == bench.manifest.entries.count)
    let second = ScriptedCoordinator(bench, "second", cluster: 2)
    let link = second.greet("reef")
    second.ask(.prepare(bench.order(bench.single())), on: link)
    loader.run(1)
    bench.drive()
    #expect(Set(reef.shell.held.values.map { ObjectIdentifier($0) }) == slots)
    #expect(second.take(link).isPrepared)
  }

  @Test("pieces that an order in preparation relies on outlive an order of another model in between")
  func otherModelBetween() throws {
    let first = ScriptedCoordinator(bench)
    let oldLink = first.greet("reef")
    first.ask(.prepare(bench.order(bench.single())), on: oldLink)
    loader.run(0)
    bench.drive()
    // Made while the pieces are held, run when they are not any more.
    first.ask(.prepare(bench.order(bench.single(2))), on: oldLink)
    let other = try #require(Digest(bytes: [UInt8](repeating: 7, count: 32)))
    let strange = try #require(Digest(bytes: [UInt8](repeating: 8, count: 32)))
    first.ask(
      .prepare(bench.order(bench.single(3), model: other) { $0.map { $0.with(digest: strange) } }), on: oldLink)
    #expect(reef.shell.held.isEmpty)
    loader.run(1)
    bench.drive()
    #expect(reef.shell.held.isEmpty)
    first.ask(.prepare(bench.order(bench.single(4))), on: oldLink)
    loader.run(3)
    bench.drive()
    _ = first.take(oldLink)
    #expect(
      first.ask(.activate(Activate(epoch: PlacementEpoch(rawValue: 4), movesKeyValues: false)), on: oldLink).isActivated
    )
    first.epoch = PlacementEpoch(rawValue: 4)
    #expect(first.logits(1, prompt, on: [oldLink]) == (try DirectEngine(bench).logits(prompt)))
  }
}

import Cluster
import Engine
import ModelGraph
import ModelSpec
import Scheduling
import ShardStore
import Tensors
import Testing
import Wire

@testable import Worker

@Suite struct WorkerPlacementTests {
  let bench: WorkerBench
  let coordinator: ScriptedCoordinator

  init() throws {
    bench = try WorkerBench()
    coordinator = ScriptedCoordinator(bench)
  }

  @Test("a share is loaded with progress, switched to, and computes what the engine alone computes")
  func wholeModel() throws {
    let reef = try bench.start("reef")
    let link = coordinator.greet("reef")
    _ = coordinator.take(link)
    let messages = coordinator.ask(.prepare(bench.order(bench.single())), on: link)
    var last = 0
    for case .progress(let progress) in messages {
      #expect(progress.piecesDone > last && progress.piecesTotal == bench.manifest.entries.count)
      last = progress.piecesDone
    }
    #expect(last == bench.manifest.entries.count && messages.bytesMoved == 0 && !messages.isActivated)
    #expect(coordinator.ask(.activate(Activate(epoch: coordinator.epoch, movesKeyValues: false)), on: link).isActivated)
    #expect(coordinator.ask(.activate(Activate(epoch: coordinator.epoch, movesKeyValues: false)), on: link).isActivated)
    let logits = try #require(coordinator.logits(1, prompt, on: [link]))
    #expect(logits == (try DirectEngine(bench).logits(prompt)))
    #expect(reef.shell.running?.engine.isIdle == true)
  }

  @Test("an order that cannot be carried out is answered with what is wrong, and the next good one is carried out")
  func badOrders() throws {
    try bench.start("reef")
    let link = coordinator.greet("reef")
    let wrong = try #require(Digest(bytes: [UInt8](repeating: 7, count: 32)))
    let single = bench.single()
    let far = PieceID.expert(9, 0)
    let cases: [(Prepare, String)] = [
      (bench.order(single) { [$0[0].with(digest: wrong)] + $0.dropFirst() }, "embedding"),
      (bench.order(single) { $0 + [PieceDescription(piece: far, byteCount: 4, digest: wrong)] }, "expert 0 of layer 9"),
      (bench.order(single) { $0 + [$0[3]] }, "twice"),
      (bench.order(single) { Array($0.dropLast()) }, "output"),
      (bench.order(single) { [$0[0].with(byteCount: 5)] + $0.dropFirst() }, "embedding"),
      (bench.order(bench.placement(1, ["reef"], [(0..<2, 0, ["0-7"])])), "layer 2 is in no stage"),
      (bench.order(bench.placement(1, ["reef"], [(0..<4, 0, ["0-7"])])), "stage 0"),
      (bench.order(bench.placement(1, ["reef"], [(0..<3, 0, ["0-6"])])), "experts 7"),
      (bench.order(bench.placement(1, ["reef"], [(0..<3, 0, ["0-8"])])), "no expert 8"),
      (bench.order(bench.placement(1, ["cove"], [(0..<3, 0, ["0-7"])])), "cove"),
      (bench.order(single, rows: 65_535), "frame"),
      (
        bench.order(bench.placement(1, ["reef", "cove"], [(0..<3, 0, ["0-7", "0"])]), addresses: ["", "nowhere"]),
        "nowhere"
      ),
    ]
    for (order, words) in cases {
      let failures = coordinator.ask(.prepare(order), on: link).prepareFailures
      #expect(failures.count == 1 && failures[0].contains(words), "\(words): \(failures)")
      let activation = coordinator.ask(
        .activate(Activate(epoch: order.placement.epoch, movesKeyValues: false)), on: link)
      #expect(activation.prepareFailures.first?.contains("not prepared") == true)
    }
    #expect(coordinator.run(single, on: [link])[0].isActivated)
    #expect(coordinator.logits(1, prompt, on: [link]) != nil)
  }

  @Test("headers with another hash, or of a model that is none, are refused")
  func badHeader() throws {
    let junk = [UInt8](repeating: 3, count: 40)
    let digest = try PieceDigest.of(junk)
    try bench.start("reef", sources: [FixedSource(bytes: junk)])
    let link = coordinator.greet("reef")
    let good = bench.order(bench.single())
    #expect(coordinator.ask(.prepare(good), on: link).prepareFailures.count == 1)
    let order = Prepare(
      model: good.model, headerDigest: digest, headerByteCount: 40, kvType: .f16, combine: .exact, context: 64,
      sequences: 1, subBatchRows: 4, node: 0, placement: good.placement, addresses: [""], pieces: [])
    #expect(coordinator.ask(.prepare(order), on: link).prepareFailures.first?.contains("headers") == true)
  }

  @Test("steps before a placement runs, and of another one, are interrupted and not failed")
  func earlySteps() throws {
    try bench.start("reef")
    let link = coordinator.greet("reef")
    func step(_ id: UInt64) -> [String] {
      let entry = StepEntry(
        sequence: SequenceID(rawValue: 1), position: 0, rowCount: 1, tokens: [1], wanted: .nothing)
      let batch = StepBatch(id: StepID(rawValue: id), phase: .decode, entries: [entry])
      let messages = coordinator.ask(.step(StepStart(batch: batch)), on: link)
      #expect(messages.interruptions == messages.stepFailures)
      return messages.stepFailures
    }
    #expect(step(1).first?.contains("no placement") == true)
    coordinator.ask(.prepare(bench.order(bench.single())), on: link)
    #expect(step(2).first?.contains("no placement") == true)
    coordinator.ask(.activate(Activate(epoch: coordinator.epoch, movesKeyValues: false)), on: link)
    #expect(step(3) == [])
    coordinator.epoch = PlacementEpoch(rawValue: 2)
    #expect(step(4).first?.contains("placement 2") == true)
    coordinator.epoch = PlacementEpoch(rawValue: 1)
    #expect(step(5) == [])
  }

  @Test("more logits than fit a message are refused before they are computed")
  func tooManyLogits() throws {
    let reef = try bench.start("reef")
    let link = coordinator.greet("reef")
    coordinator.run(bench.single(), on: [link])
    let entry = StepEntry(
      sequence: SequenceID(rawValue: 1), position: 0, rowCount: 30_000, tokens: Array(repeating: 1, count: 30_000),
      wanted: .logits(rows: 30_000))
    let batch = StepBatch(id: StepID(rawValue: 1), phase: .prefill, entries: [entry])
    let failures = coordinator.ask(.step(StepStart(batch: batch)), on: link).stepFailures
    #expect(failures.count == 1 && failures[0].contains("30000 positions"), "\(failures)")
    #expect(reef.shell.running?.engine.keyValueBlocksInUse == 0)
    #expect(coordinator.logits(2, prompt, on: [link]) != nil)
  }

  @Test("a share that is more than the node may hold is refused with its sizes before anything is read")
  func memory() throws {
    let reef = try bench.start("reef", memoryLimit: 1 << 20)
    let link = coordinator.greet("reef")
    let sentence = coordinator.ask(.prepare(bench.order(bench.single())), on: link).prepareFailures.first ?? ""
    #expect(sentence.contains("weights 1") && sentence.contains("1048576"), "\(sentence)")
    #expect(sentence.contains("KV cache") && sentence.contains("scratch") && reef.arena.bytesInUse == 0)
    let endless = bench.order(bench.single(), context: Int(Int32.max), sequences: 65_535)
    #expect(coordinator.ask(.prepare(endless), on: link).prepareFailures.count == 1)
  }

  @Test("a second placement takes over the pieces it shares, and those it does not want are given back")
  func reuse() throws {
    let reef = try bench.start("reef")
    let link = coordinator.greet("reef")
    coordinator.run(bench.single(), on: [link])
    let whole = reef.arena.bytesInUse
    let before = reef.shell.held
    // From now on reef is host alone; the experts of layers 1 and 2 are cove's.
    let smaller = bench.placement(2, ["reef", "cove"], [(0..<1, 0, ["0-7", ""]), (1..<3, 0, ["", "0-7"])])
    try bench.start("cove")
    let coveLink = coordinator.greet("cove")
    let messages = coordinator.run(smaller, on: [link, coveLink])
    #expect(messages[0].bytesMoved == 0 && messages.allSatisfy { $0.isActivated })
    #expect(reef.shell.held.allSatisfy { before[$0.key] === $0.value })
    let experts = before.filter { if case .expert(let layer, _) = $0.key { layer > 0 } else { false } }
    let freed = experts.values.reduce(0) { $0 + $1.piece.slot.byteCount }
    #expect(experts.count == 16 && reef.arena.bytesInUse == whole)
    // The test itself held on to them.
    _ = consume before
    _ = consume experts
    #expect(reef.arena.bytesInUse == whole - freed)
    #expect(coordinator.logits(1, prompt, on: [link, coveLink]) == (try DirectEngine(bench).logits(prompt)))
  }

  @Test("a placement that is not newer than the running one, or of another model, is refused; the running one goes on")
  func stale() throws {
    try bench.start("reef")
    let link = coordinator.greet("reef")
    coordinator.run(bench.single(5), on: [link])
    let expected = coordinator.logits(1, prompt, on: [link])
    for epoch in [UInt32(5), 4] {
      let failures = coordinator.ask(.prepare(bench.order(bench.single(epoch))), on: link).prepareFailures
      #expect(failures.first?.contains("not newer") == true)
    }
    let other = try #require(Digest(bytes: [UInt8](repeating: 7, count: 32)))
    let failures = coordinator.ask(.prepare(bench.order(bench.single(6), model: other)), on: link).prepareFailures
    #expect(failures.first?.contains("\(other)") == true)
    #expect(expected != nil && coordinator.logits(2, prompt, on: [link]) == expected)
  }

  @Test("the share stays in the store while it is in memory, also without a coordinator, and may go when it is not")
  func pins() throws {
    let folder = TemporaryFolder()
    let store = try ShardStore(directory: folder.path)
    try bench.start("reef", sources: [StoreSource(store), RemoteSource(source: bench.source)], store: store)
    let link = coordinator.greet("reef")
    let first = coordinator.run(bench.single(), on: [link])[0]
    #expect(first.bytesMoved == bench.manifest.byteCount + bench.manifest.header.byteCount)
    #expect(try store.prune(keeping: []).isEmpty)
    coordinator.close(link)
    bench.drive()
    #expect(try store.prune(keeping: []).isEmpty)
    let next = coordinator.greet("reef")
    coordinator.ask(.release(EpochNotice(epoch: PlacementEpoch(rawValue: 0))), on: next)
    let count = Set(bench.manifest.entries.map(\.digest)).count + 1
    #expect(try store.prune(keeping: []).count == count)
  }
}

extension PieceDescription {
  func with(digest: Digest? = nil, byteCount: Int? = nil) -> PieceDescription {
    PieceDescription(piece: piece, byteCount: byteCount ?? self.byteCount, digest: digest ?? self.digest)
  }
}

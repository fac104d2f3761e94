import Kernels
import ModelGraph
import ModelSpec
import ShardStore
import Synchronization
import Tensors
import Testing
import Transport

@testable import Worker

/// Loading in lanes side by side, on threads of their own.
@Suite struct LoadJobTests {
  private let bench: WorkerBench
  private let arena = WeightArena()

  init() throws { bench = try WorkerBench() }

  /// Counts how many threads are in it at once. One that is alone waits for another: where there should be one, for
  /// long but once; else a little, each time.
  private final class CountedSource: PieceSource {
    let source: ModelFileSource
    let origin: PieceOrigin
    let name = "a source that counts"
    private let expectsAnother: Bool
    private let inside = Mutex((now: 0, most: 0))
    private let second = Mailbox<Bool>(capacity: 1)
    var most: Int { inside.withLock { $0.most } }

    init(_ source: ModelFileSource, _ origin: PieceOrigin, expectsAnother: Bool) {
      self.source = source
      self.origin = origin
      self.expectsAnother = expectsAnother
    }

    func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
      // One thread reads the header before there are others.
      guard entry.id != .header else { return try source.read(entry, into: buffer) }
      let isSecond = inside.withLock { inside in
        inside = (inside.now + 1, max(inside.most, inside.now + 1))
        return inside.most > 1
      }
      defer { inside.withLock { $0.now -= 1 } }
      let hasSecond = isSecond || second.wait(until: .now + (expectsAnother ? .seconds(300) : .milliseconds(20)))
      if hasSecond || expectsAnother { second.post(true) }
      return try source.read(entry, into: buffer)
    }
  }

  /// Answers to one request.
  private func load(
    _ pieces: [PieceEntry], threads: Int, from source: any PieceSource, held: [PieceID: HeldPiece] = [:]
  ) throws -> [ShareEvent] {
    let events = Mailbox<ShareEvent>(capacity: 4096)
    let loader = ShareLoader(
      arena: arena, kernels: try Kernels.select(), store: nil, threads: threads, sources: { _ in [source] },
      warning: { _ in })
    loader.load(ShareRequest(number: 7, header: bench.manifest.header, pieces: pieces), held: held) { events.post($0) }
    var all: [ShareEvent] = []
    let deadline = ContinuousClock.now + .seconds(600)
    while events.wait(until: deadline) {
      while let event = events.take() { all.append(event) }
      switch all.last {
      case .loaded, .failed: return all
      default: continue
      }
    }
    return all
  }

  private func share(_ events: [ShareEvent]) throws -> LoadedShare {
    guard case .loaded(7, let share)? = events.last else {
      throw WorkerError(.badShare, "\(events.last.map { "\($0)" } ?? "nothing came")")
    }
    return share
  }

  private var weights: [PieceEntry] { bench.manifest.entries.filter { $0.id != .header } }

  private func bytes(_ share: LoadedShare) -> [PieceID: [UInt8]] {
    share.pieces.mapValues { held in
      [UInt8](unsafeUninitializedCapacity: held.piece.layout.byteCount) { buffer, count in
        count = held.piece.layout.byteCount
        if let base = buffer.baseAddress { held.piece.copyBytes(0..<count, to: base) }
      }
    }
  }

  @Test("lanes load the same pieces as one thread, and tell of each once", arguments: [1, 2, 5, 200])
  func lanes(_ threads: Int) throws {
    let expected = try bytes(share(load(weights, threads: 1, from: bench.source)))
    let events = try load(weights, threads: threads, from: bench.source)
    let share = try share(events)
    #expect(bytes(share) == expected && expected.count == weights.count && share.bytesMoved == 0)
    var done: [Int] = []
    for case .progress(7, let progress) in events { done.append(progress.piecesDone) }
    #expect(done == done.sorted() && Set(done).count == done.count && done.last == weights.count)
  }

  @Test("lanes take turns at a source across the network")
  func network() throws {
    let source = CountedSource(bench.source, .network, expectsAnother: false)
    let share = try share(load(weights, threads: 4, from: source))
    #expect(source.most == 1)
    #expect(share.bytesMoved == bench.manifest.header.byteCount + weights.reduce(0) { $0 + $1.byteCount })
  }

  @Test("where nothing is in memory threads load side by side; later one does")
  func sideBySide() throws {
    let source = CountedSource(bench.source, .modelFile, expectsAnother: true)
    let first = try share(load(weights, threads: 2, from: source))
    #expect(source.most == 2)
    let few = first.pieces.filter { $0.key == weights[0].id }
    let later = CountedSource(bench.source, .modelFile, expectsAnother: false)
    _ = try share(load(weights, threads: 2, from: later, held: few))
    #expect(later.most == 1)
  }

  @Test("one bad piece fails the share, and all memory comes back")
  func failure() throws {
    var pieces = weights
    pieces[pieces.count / 2] = PieceEntry(
      id: pieces[pieces.count / 2].id, byteCount: pieces[pieces.count / 2].byteCount, digest: weights[0].digest)
    let events = try load(pieces, threads: 4, from: bench.source)
    guard case .failed(7, let sentence)? = events.last else {
      Issue.record("a wrong piece was taken")
      return
    }
    #expect(sentence.contains("\(pieces[pieces.count / 2].id)"))
    #expect(arena.bytesInUse == 0)
  }

  @Test("a piece that is named twice is refused, and nothing is loaded")
  func twice() throws {
    let events = try load(weights + [weights[0]], threads: 3, from: bench.source)
    guard case .failed(7, let sentence)? = events.last else {
      Issue.record("a piece was taken twice")
      return
    }
    #expect(sentence.contains("named twice") && events.count == 1)
  }

  @Test("what is in memory is taken as it is")
  func held() throws {
    let first = try share(load(weights, threads: 2, from: bench.source))
    let again = try share(load(weights, threads: 2, from: bench.source, held: first.pieces))
    #expect(again.pieces.allSatisfy { first.pieces[$0.key] === $0.value })
  }
}

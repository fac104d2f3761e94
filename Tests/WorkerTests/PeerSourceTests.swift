import Cluster
import Logging
import ModelSpec
import ShardStore
import Synchronization
import Tensors
import Testing
import Transport
import Wire

@testable import Worker

/// Pieces from other workers, over loopback.
@Suite struct PeerSourceTests {
  private struct NotHere: Error, CustomStringConvertible {
    let description = "it is not here any more"
  }

  private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A worker that has pieces: an acceptor and what answers there.
  private struct Holder {
    let server: PieceServer
    let acceptor: Acceptor
    var address: String { "\(acceptor.address)" }
    /// Bytes that were given out; the server's own count may lag behind what has arrived.
    var sent: Int { given.value.load(ordering: .relaxed) }
    private let given = Given()

    private final class Given: Sendable {
      let value = Atomic<Int>(0)
    }

    init(_ read: @escaping PieceServer.Reader) throws {
      let given = given
      server = PieceServer(logger: PeerSourceTests.quiet, isWelcome: { $0.receiver == "reef" }) {
        try read($0, $1, $2, $3, $4)
        given.value.add($4.count, ordering: .relaxed)
      }
      acceptor = try Acceptor(
        listen: HostPort(host: "127.0.0.1", port: 0), logger: PeerSourceTests.quiet, handlers: [.pieces: server.adopt])
    }
  }

  private let bench: WorkerBench
  private let shelf: PieceShelf
  private let coordinator: ScriptedCoordinator

  init() throws {
    bench = try WorkerBench()
    coordinator = ScriptedCoordinator(bench)
    let reef = try bench.start("reef")
    coordinator.run(bench.single(), on: [coordinator.greet("reef")])
    shelf = reef.shell.shelf
  }

  private func honest() throws -> Holder {
    try Holder { [shelf] _, _, digest, offset, target in
      guard shelf.read(digest, offset: offset, into: target) else { throw NotHere() }
    }
  }

  /// As cove asks reef, which listens there; all pieces are said to be reef's.
  private func source(_ address: String) -> PeerSource {
    let placement = bench.placement(1, ["reef", "cove"], [(0..<3, 1, ["", "0-7"])])
    let order = bench.order(placement, for: 1, addresses: [address, ""]) { pieces in
      pieces.map { $0.with(holder: 0) }
    }
    let identity = DataIdentity(node: "cove", cluster: coordinator.cluster, term: coordinator.term)
    return PeerSource(PeerPieces(order, as: identity))
  }

  /// Loads a piece, from the sources in turn.
  private func load(_ id: PieceID, _ sources: [any PieceSource]) throws -> [UInt8] {
    let entry = try #require(bench.manifest.entry(for: id))
    let layout = try #require(bench.spec.layout(of: id))
    let memory = AlignedBuffer(byteCount: layout.memoryBytes)
    let target = UnsafeMutableRawBufferPointer(start: memory.base, count: layout.memoryBytes)
    _ = try PieceLoader(sources: sources, store: nil).load(layout: layout, entry: entry, into: target)
    // As it stands in the file, without the gaps.
    return zip(layout.parts, layout.memoryOffsets).flatMap { part, place in
      Array(target[place..<place + part.byteCount])
    }
  }

  private func file(_ id: PieceID) throws -> [UInt8] {
    let entry = try #require(bench.manifest.entry(for: id))
    var bytes = [UInt8](repeating: 0, count: entry.byteCount)
    _ = try bytes.withUnsafeMutableBytes { try bench.source.read(entry, into: $0) }
    return bytes
  }

  @Test("pieces come from the worker that has them, over one connection")
  func honestPeer() throws {
    let holder = try honest()
    let source = source(holder.address)
    for entry in bench.manifest.entries { #expect(try load(entry.id, [source]) == file(entry.id), "\(entry.id)") }
    #expect(holder.sent == bench.manifest.entries.reduce(0) { $0 + $1.byteCount } && holder.server.connectionCount == 1)
    #expect(source.origin == .network)
  }

  @Test("a worker that sends other bytes is found out by the hash, and the next source has its turn")
  func liar() throws {
    let holder = try Holder { [shelf] _, _, digest, offset, target in
      guard shelf.read(digest, offset: offset, into: target) else { throw NotHere() }
      if offset == 0 { target[target.count / 2] ^= 1 }
    }
    let source = source(holder.address)
    #expect(try load(.expert(1, 3), [source, bench.source]) == file(.expert(1, 3)))
    #expect(holder.sent > 0)
    #expect(throws: (any Error).self) { try load(.expert(1, 3), [source]) }
  }

  @Test("what a worker has not any more it refuses, and it is asked for the rest all the same")
  func forgetful() throws {
    let gone = try #require(bench.manifest.entry(for: .expert(1, 3))).digest
    let holder = try Holder { [shelf] _, _, digest, offset, target in
      guard digest != gone, shelf.read(digest, offset: offset, into: target) else { throw NotHere() }
    }
    let source = source(holder.address)
    #expect(try load(.expert(1, 3), [source, bench.source]) == file(.expert(1, 3)))
    let sent = holder.sent
    #expect(try load(.expert(1, 4), [source]) == file(.expert(1, 4)))
    #expect(holder.sent > sent && holder.server.connectionCount == 1)
  }

  @Test("a worker that hangs up is asked no more")
  func gone() throws {
    let holder = try honest()
    let source = source(holder.address)
    holder.server.stop()
    #expect(try load(.expert(1, 3), [source, bench.source]) == file(.expert(1, 3)))
    let entry = try #require(bench.manifest.entry(for: .expert(1, 4)))
    var bytes = [UInt8](repeating: 0, count: entry.byteCount)
    let isThere = try bytes.withUnsafeMutableBytes { try source.read(entry, into: $0) }
    #expect(!isThere)
  }

  @Test("where nobody listens, and for pieces that nobody has, other sources are asked")
  func nobody() throws {
    let holder = try honest()
    let address = holder.address
    holder.acceptor.stop()
    #expect(try load(.expert(1, 3), [source(address), bench.source]) == file(.expert(1, 3)))
    let order = bench.order(bench.single())
    let identity = DataIdentity(node: "reef", cluster: coordinator.cluster, term: coordinator.term)
    let pieces = PeerPieces(order, as: identity)
    #expect(pieces.holders.isEmpty)
    #expect(try load(.expert(1, 3), [PeerSource(pieces), bench.source]) == file(.expert(1, 3)))
  }

  @Test("holders whose address is none are left out")
  func addresses() {
    let placement = bench.placement(1, ["reef", "cove"], [(0..<3, 1, ["", "0-7"])])
    let identity = DataIdentity(node: "cove", cluster: coordinator.cluster, term: coordinator.term)
    for (address, count) in [("", 0), ("nowhere", 0), ("127.0.0.1:5", 1)] {
      let order = bench.order(placement, for: 1, addresses: [address, ""]) { [$0[0].with(holder: 0)] + $0.dropFirst() }
      let holders = PeerPieces(order, as: identity).holders
      #expect(holders.count == count)
      #expect(holders.values.allSatisfy { $0.node == "reef" && "\($0.address)" == address })
    }
  }
}

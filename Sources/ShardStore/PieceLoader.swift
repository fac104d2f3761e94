#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif
import GGUF
public import ModelSpec
import Synchronization

/// Brings pieces of weights into memory from the first of several sources that has the right bytes.
///
/// Bytes are read straight into the memory they are for, packed, and hashed on the way; only then its parts move up to
/// their 64-byte boundaries, from the last to the first. No second copy of a piece exists, and sources need not know of
/// the memory's layout. Threads may share a loader; they load different pieces then, and take turns at the network.
public final class PieceLoader: Sendable {
  private struct State {
    /// Pieces in a row that a source could not give rightly, by the source's place in `sources`.
    var failures: [Int: Int] = [:]
    /// Only smaller pieces are still inserted: one of this size did not fit, or (0) the store takes no more at all.
    var insertLimit = Int.max
  }

  /// A model file that fails this often in a row is asked no more: it holds another model's weights, or the disk dies.
  private static let failureLimit = 8

  private let sources: [any PieceSource]
  private let store: ShardStore?
  private let warning: @Sendable (String) -> Void
  private let state = Mutex(State())
  /// Whoever holds it asks a source across the network: one connection is made, or waited for, and not one for each thread.
  private let networkTurn = Mutex(())

  /// - Parameters:
  ///   - sources: asked in this order: the store first, the network last.
  ///   - store: takes the pieces that come from the network; nil to keep none.
  ///   - warning: told of sources that fail or give wrong bytes, and when the store takes no more.
  public init(
    sources: [any PieceSource], store: ShardStore?, warning: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.sources = sources
    self.store = store
    self.warning = warning
  }

  /// Loads a piece of weights.
  ///
  /// - Parameters:
  ///   - layout: the piece as the model's headers describe it.
  ///   - entry: the piece as the coordinator describes it.
  ///   - memory: at least `layout.memoryBytes` bytes; afterwards its parts are at `layout.memoryOffsets`, the bytes
  ///     between them zero. When loading fails it holds nothing of use.
  ///   - isWanted: asked when this piece's turn at the network has come; where it is not wanted any more, nothing is
  ///     fetched and loading fails.
  /// - Returns: where the piece came from.
  /// - Throws: `badEntry` when entry and layout differ, `unavailable` when no source could give it, saying why.
  public func load(
    layout: PieceLayout, entry: PieceEntry, into memory: UnsafeMutableRawBufferPointer,
    isWanted: () -> Bool = { true }
  ) throws(ShardStoreError) -> PieceOrigin {
    guard entry.id == layout.id, entry.byteCount == layout.byteCount else {
      throw ShardStoreError(
        .badEntry,
        "the \(layout.id) has \(layout.byteCount) bytes by the model's headers; what is to be loaded is the "
          + "\(entry.id) with \(entry.byteCount) bytes")
    }
    precondition(memory.count >= layout.memoryBytes, "memory too small for its piece")
    let packed = UnsafeMutableRawBufferPointer(rebasing: memory[..<entry.byteCount])
    let origin = try fetch(entry, into: packed, isWanted)
    if let base = memory.baseAddress { Self.spread(layout, base) }
    return origin
  }

  /// Loads a piece as it is packed; meant for `.header`.
  ///
  /// - Throws: `badEntry` when it is larger than headers may be, `unavailable` when no source could give it.
  public func loadPacked(_ entry: PieceEntry) throws(ShardStoreError) -> (bytes: [UInt8], origin: PieceOrigin) {
    let limit = GGUFLimits.standard.headerBytes + 16 * GGUFLimits.standard.files + 4
    guard (0...limit).contains(entry.byteCount) else {
      throw ShardStoreError(.badEntry, "the \(entry.id) is said to have \(entry.byteCount) bytes; \(limit) are allowed")
    }
    var bytes = [UInt8](repeating: 0, count: entry.byteCount)
    let result = bytes.withUnsafeMutableBytes { buffer -> Result<PieceOrigin, ShardStoreError> in
      do throws(ShardStoreError) { return .success(try fetch(entry, into: buffer) { true }) } catch {
        return .failure(error)
      }
    }
    return (bytes, try result.get())
  }

  /// Reads the packed piece from the first source that has it, and keeps it if it came over the network.
  private func fetch(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, _ isWanted: () -> Bool
  ) throws(ShardStoreError) -> PieceOrigin {
    var reasons: [String] = []
    for (index, source) in sources.enumerated() where !isGivenUp(index) {
      do {
        guard let isRight = try read(entry, from: source, into: buffer, isWanted) else {
          reasons.append("\(source.name) does not have it")
          continue
        }
        if isRight {
          state.withLock { $0.failures[index] = nil }
          if source.origin == .network { keep(entry, UnsafeRawBufferPointer(buffer)) }
          return source.origin
        }
        source.reject(entry)
        reasons.append("\(source.name) gave bytes with a wrong hash")
        warning("the \(entry.id) from \(source.name) has a wrong hash and is not used")
      } catch {
        reasons.append("\(source.name): \(error)")
        warning("the \(entry.id) cannot be read from \(source.name): \(error)")
      }
      countFailure(index)
    }
    let said = reasons.isEmpty ? "there is no source to ask" : reasons.joined(separator: "; ")
    throw ShardStoreError(.unavailable, "the \(entry.id) of \(entry.byteCount) bytes cannot be had: \(said)")
  }

  /// As below, in turn where it is across the network.
  private func read(
    _ entry: PieceEntry, from source: any PieceSource, into buffer: UnsafeMutableRawBufferPointer,
    _ isWanted: () -> Bool
  ) throws -> Bool? {
    guard source.origin == .network else { return try Self.read(entry, from: source, into: buffer) }
    return try networkTurn.withLock { _ in isWanted() ? try Self.read(entry, from: source, into: buffer) : nil }
  }

  /// Whether the source's bytes have the right hash; nil when it does not have the piece.
  private static func read(
    _ entry: PieceEntry, from source: any PieceSource, into buffer: UnsafeMutableRawBufferPointer
  ) throws -> Bool? {
    var hasher = PieceHasher()
    var hashed = 0
    func hash(upTo count: Int) {
      guard hashed < count, count <= buffer.count else { return }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[hashed..<count]))
      hashed = count
    }
    guard try source.read(entry, into: buffer, arrived: hash(upTo:)) else { return nil }
    hash(upTo: buffer.count)
    return hasher.finish() == entry.digest
  }

  /// Moves the parts of a packed piece to their places in memory, which are never before those in the piece.
  private static func spread(_ layout: PieceLayout, _ base: UnsafeMutableRawPointer) {
    var end = layout.memoryBytes
    for (part, offset) in zip(layout.parts, layout.memoryOffsets).reversed() {
      if part.offset != offset { memmove(base + offset, base + part.offset, part.byteCount) }
      memset(base + offset + part.byteCount, 0, end - offset - part.byteCount)
      end = offset
    }
  }

  private func keep(_ entry: PieceEntry, _ bytes: UnsafeRawBufferPointer) {
    guard let store, entry.byteCount < state.withLock({ $0.insertLimit }) else { return }
    do throws(ShardStoreError) {
      try store.insert(entry, bytes)
    } catch {
      let limit = error.code == .overBudget ? entry.byteCount : 0
      let isFirst = state.withLock { state in
        defer { state.insertLimit = min(state.insertLimit, limit) }
        return state.insertLimit == .max
      }
      if isFirst { warning("not all pieces can be stored, so the next start fetches them again: \(error)") }
    }
  }

  private func isGivenUp(_ index: Int) -> Bool {
    guard sources[index].origin == .modelFile else { return false }
    return state.withLock { $0.failures[index, default: 0] } >= Self.failureLimit
  }

  private func countFailure(_ index: Int) {
    let count = state.withLock { state in
      state.failures[index, default: 0] += 1
      return state.failures[index, default: 0]
    }
    guard sources[index].origin == .modelFile, count == Self.failureLimit else { return }
    warning("\(sources[index].name) failed \(count) times in a row and is not asked any more")
  }
}

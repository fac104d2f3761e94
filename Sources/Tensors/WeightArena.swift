#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
private import Synchronization

/// Memory for weights: anonymous mappings that ask for 2 MB pages, from which one expert or one trunk layer can be
/// taken and given back while others are in use.
///
/// Slots lie close together in chunks of 64 MB (a larger slot has a chunk of its own): first fit, neighbours merged on
/// release. Whole pages that become free go back to the system at once. Slots start at 64-byte boundaries; what they
/// hold at first is not defined.
public final class WeightArena: Sendable {
  /// One allocation. The memory is valid until `release(_:)`; writing is up to whoever allocated it, and readers
  /// may start only after the writer is done.
  public struct Slot: @unchecked Sendable {
    // SAFETY: a slot is filled by one thread before it is handed to readers, and only read afterwards.
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int
    fileprivate let chunk: Int
  }

  fileprivate struct Chunk: @unchecked Sendable {
    // SAFETY: touched only inside `state`'s lock.
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    /// Ascending, never touching each other.
    var free: [Range<Int>]
  }

  private struct State {
    var chunks: [Int: Chunk] = [:]
    var nextChunk = 0
    /// The chunk that had room last, tried first.
    var recent: Int?
    var bytesInUse = 0
  }

  private static let pageBytes = 2 << 20
  private static let chunkBytes = 64 << 20
  private let limit: Int
  private let state = Mutex(State())

  /// - Parameter limit: most bytes that may be in use at once.
  public init(limit: Int = .max) { self.limit = limit }

  deinit {
    state.withLock { state in
      for chunk in state.chunks.values { munmap(chunk.base, chunk.byteCount) }
    }
  }

  /// Bytes handed out and not given back.
  public var bytesInUse: Int { state.withLock { $0.bytesInUse } }

  /// Takes memory.
  /// - Throws: `ArenaError` when the limit would be passed or the system has no memory.
  public func allocate(byteCount: Int) throws(ArenaError) -> Slot {
    precondition(byteCount >= 0, "negative slot size")
    let size = (max(byteCount, 1) + 63) & ~63
    let result = state.withLock { state -> Result<Slot, ArenaError> in
      guard size <= limit - state.bytesInUse else {
        return .failure(ArenaError(requested: byteCount, inUse: state.bytesInUse, limit: limit))
      }
      guard let slot = Self.findRoom(size, &state) ?? Self.addChunk(size, &state) else {
        return .failure(ArenaError(requested: byteCount, inUse: state.bytesInUse, limit: nil))
      }
      state.bytesInUse += size
      return .success(slot)
    }
    return try result.get()
  }

  /// Gives memory back; the slot must come from this arena and must not be used again.
  public func release(_ slot: Slot) {
    state.withLock { state in
      guard var chunk = state.chunks[slot.chunk] else { preconditionFailure("slot released twice") }
      let start = slot.base - chunk.base
      precondition(
        !chunk.free.contains { $0.overlaps(start..<start + slot.byteCount) }, "slot released twice")
      state.bytesInUse -= slot.byteCount
      let hole = chunk.insertFree(start..<start + slot.byteCount)
      guard hole != 0..<chunk.byteCount else {
        munmap(chunk.base, chunk.byteCount)
        state.chunks[slot.chunk] = nil
        if state.recent == slot.chunk { state.recent = nil }
        return
      }
      state.chunks[slot.chunk] = chunk
      Self.giveBack(hole, of: chunk)
    }
  }

  private static func findRoom(_ size: Int, _ state: inout State) -> Slot? {
    if let recent = state.recent, let slot = take(size, from: recent, &state) { return slot }
    for index in state.chunks.keys where index != state.recent {
      if let slot = take(size, from: index, &state) { return slot }
    }
    return nil
  }

  private static func take(_ size: Int, from index: Int, _ state: inout State) -> Slot? {
    guard let chunk = state.chunks[index], let hole = chunk.free.firstIndex(where: { $0.count >= size }) else {
      return nil
    }
    let range = chunk.free[hole]
    if range.count == size {
      state.chunks[index]?.free.remove(at: hole)
    } else {
      state.chunks[index]?.free[hole] = range.lowerBound + size..<range.upperBound
    }
    state.recent = index
    return Slot(base: chunk.base + range.lowerBound, byteCount: size, chunk: index)
  }

  private static func addChunk(_ size: Int, _ state: inout State) -> Slot? {
    let byteCount = max(chunkBytes, (size + pageBytes - 1) & ~(pageBytes - 1))
    guard let base = mapAligned(byteCount) else { return nil }
    let index = state.nextChunk
    state.nextChunk += 1
    state.chunks[index] = Chunk(base: base, byteCount: byteCount, free: [0..<byteCount])
    return take(size, from: index, &state)
  }

  /// Lets the system have the whole pages of a hole.
  private static func giveBack(_ hole: Range<Int>, of chunk: Chunk) {
    let start = (hole.lowerBound + pageBytes - 1) & ~(pageBytes - 1)
    let end = hole.upperBound & ~(pageBytes - 1)
    guard end > start else { return }
    madvise(chunk.base + start, end - start, Int32(MADV_DONTNEED))
  }

  /// A mapping that starts at a multiple of 2 MB, so that the kernel can back all of it with huge pages.
  private static func mapAligned(_ size: Int) -> UnsafeMutableRawPointer? {
    let padded = size + pageBytes
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let raw = mmap(nil, padded, PROT_READ | PROT_WRITE, flags, -1, 0), raw != MAP_FAILED else { return nil }
    let address = UInt(bitPattern: raw)
    let lead = Int((UInt(pageBytes) - address % UInt(pageBytes)) % UInt(pageBytes))
    let base = raw + lead
    if lead > 0 { munmap(raw, lead) }
    let tail = padded - lead - size
    if tail > 0 { munmap(base + size, tail) }
    #if os(Linux)
      madvise(base, size, MADV_HUGEPAGE)
    #endif
    return base
  }
}

extension WeightArena.Chunk {
  /// Adds a hole and joins it with its neighbours.
  /// - Returns: the hole as it is then.
  fileprivate mutating func insertFree(_ range: Range<Int>) -> Range<Int> {
    let place = free.firstIndex { $0.lowerBound >= range.upperBound } ?? free.endIndex
    var hole = range
    if place < free.endIndex, free[place].lowerBound == range.upperBound {
      hole = hole.lowerBound..<free.remove(at: place).upperBound
    }
    if place > 0, free[place - 1].upperBound == range.lowerBound {
      hole = free.remove(at: place - 1).lowerBound..<hole.upperBound
      free.insert(hole, at: place - 1)
    } else {
      free.insert(hole, at: place)
    }
    return hole
  }
}

/// The arena cannot give the memory asked for.
public struct ArenaError: Error, Sendable, CustomStringConvertible {
  /// Bytes asked for.
  public let requested: Int
  /// Bytes in use at that time.
  public let inUse: Int
  /// The limit that would be passed; nil when the system itself had no memory.
  public let limit: Int?

  public var description: String {
    if let limit {
      "no memory for \(requested) bytes of weights: \(inUse) of the allowed \(limit) bytes are in use; raise the "
        + "node's \"memory\" or give it fewer layers or experts"
    } else {
      "the system has no memory for \(requested) bytes of weights (\(inUse) in use)"
    }
  }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
private import Synchronization

/// Memory for weights: anonymous mappings that ask for 2 MB pages, from which one expert or one trunk layer can be
/// taken and given back while others are in use.
///
/// A piece of 2 MB or more has a mapping of its own; smaller ones share 2 MB pages (first fit, neighbours merged on
/// release). Slots start at 64-byte boundaries and are zero when new.
public final class WeightArena: Sendable {
  /// One allocation. The memory is valid until `release(_:)`; writing is up to whoever allocated it, and readers
  /// may start only after the writer is done.
  public struct Slot: @unchecked Sendable {
    // SAFETY: a slot is filled by one thread before it is handed to readers, and only read afterwards.
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int
    fileprivate let page: Int?
  }

  private struct SharedPage: @unchecked Sendable {
    // SAFETY: touched only inside `state`'s lock.
    let base: UnsafeMutableRawPointer
    var free: [Range<Int>]
  }

  private struct State {
    var pages: [Int: SharedPage] = [:]
    var nextPage = 0
    var bytesInUse = 0
    var ownMappings: [UInt: Int] = [:]
  }

  private static let pageBytes = 2 << 20
  private let limit: Int
  private let state = Mutex(State())

  /// - Parameter limit: most bytes that may be in use at once.
  public init(limit: Int = .max) { self.limit = limit }

  deinit {
    state.withLock { state in
      for page in state.pages.values { munmap(page.base, Self.pageBytes) }
      for (address, size) in state.ownMappings {
        if let base = UnsafeMutableRawPointer(bitPattern: address) { munmap(base, size) }
      }
    }
  }

  /// Bytes handed out and not given back.
  public var bytesInUse: Int { state.withLock { $0.bytesInUse } }

  /// Takes zeroed memory.
  /// - Throws: `ArenaError` when the limit would be passed or the system has no memory.
  public func allocate(byteCount: Int) throws(ArenaError) -> Slot {
    let size = (max(byteCount, 1) + 63) & ~63
    let result = state.withLock { state -> Result<Slot, ArenaError> in
      guard size <= limit - state.bytesInUse else {
        return .failure(ArenaError(requested: byteCount, inUse: state.bytesInUse, limit: limit))
      }
      let slot = size >= Self.pageBytes ? Self.map(size, &state) : Self.share(size, &state)
      guard let slot else {
        return .failure(ArenaError(requested: byteCount, inUse: state.bytesInUse, limit: nil))
      }
      state.bytesInUse += slot.byteCount
      return .success(slot)
    }
    return try result.get()
  }

  /// Gives memory back; the slot must come from this arena and must not be used again.
  public func release(_ slot: Slot) {
    state.withLock { state in
      state.bytesInUse -= slot.byteCount
      guard let index = slot.page else {
        let address = UInt(bitPattern: slot.base)
        if let size = state.ownMappings.removeValue(forKey: address) { munmap(slot.base, size) }
        return
      }
      guard var page = state.pages.removeValue(forKey: index) else {
        preconditionFailure("slot released twice")
      }
      let start = slot.base - page.base
      memset(slot.base, 0, slot.byteCount)
      page.free = Self.merged(page.free + [start..<start + slot.byteCount])
      if page.free == [0..<Self.pageBytes] {
        munmap(page.base, Self.pageBytes)
      } else {
        state.pages[index] = page
      }
    }
  }

  private static func map(_ size: Int, _ state: inout State) -> Slot? {
    let rounded = (size + pageBytes - 1) & ~(pageBytes - 1)
    guard let base = mapAligned(rounded) else { return nil }
    state.ownMappings[UInt(bitPattern: base)] = rounded
    return Slot(base: base, byteCount: size, page: nil)
  }

  private static func share(_ size: Int, _ state: inout State) -> Slot? {
    for (index, page) in state.pages {
      guard let hole = page.free.firstIndex(where: { $0.count >= size }) else { continue }
      return take(size, from: hole, of: page, at: index, &state)
    }
    guard let base = mapAligned(pageBytes) else { return nil }
    let index = state.nextPage
    state.nextPage += 1
    return take(size, from: 0, of: SharedPage(base: base, free: [0..<pageBytes]), at: index, &state)
  }

  private static func take(
    _ size: Int, from hole: Int, of page: SharedPage, at index: Int, _ state: inout State
  ) -> Slot {
    var page = page
    let range = page.free[hole]
    if range.count == size {
      page.free.remove(at: hole)
    } else {
      page.free[hole] = range.lowerBound + size..<range.upperBound
    }
    state.pages[index] = page
    return Slot(base: page.base + range.lowerBound, byteCount: size, page: index)
  }

  private static func merged(_ ranges: [Range<Int>]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = result.last, last.upperBound == range.lowerBound {
        result[result.count - 1] = last.lowerBound..<range.upperBound
      } else {
        result.append(range)
      }
    }
    return result
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

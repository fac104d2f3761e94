#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Bytes on their way into or out of a socket. Memory grows as needed and is kept.
final class StreamBuffer {
  /// Not yet consumed bytes lie in `start..<end`.
  private(set) var start = 0
  private(set) var end = 0
  private var capacity: Int
  private var base: UnsafeMutableRawPointer

  init(capacity: Int) {
    self.capacity = capacity
    base = Self.allocate(capacity)
  }

  deinit { free(base) }

  var count: Int { end - start }
  var isEmpty: Bool { start == end }

  /// The bytes that wait; valid until the buffer is changed.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + start, count: count) }

  /// Room for at least `needed` more bytes, behind those that wait; all the room there is.
  func room(_ needed: Int) -> UnsafeMutableRawBufferPointer {
    if capacity - end < needed { makeRoom(needed) }
    return UnsafeMutableRawBufferPointer(start: base + end, count: capacity - end)
  }

  /// `added` bytes have been written to the room.
  func fill(_ added: Int) {
    precondition(added >= 0 && added <= capacity - end, "more bytes than there was room for")
    end += added
  }

  /// The first `count` bytes are done with.
  func consume(_ count: Int) {
    precondition(count >= 0 && count <= self.count, "more bytes consumed than there are")
    start += count
    if start == end {
      start = 0
      end = 0
      shrink()
    }
  }

  /// A backlog that is gone does not keep its memory.
  private func shrink() {
    guard capacity > Self.keptBytes else { return }
    free(base)
    base = Self.allocate(Self.keptBytes)
    capacity = Self.keptBytes
  }

  /// Memory that an empty buffer keeps at the most.
  private static let keptBytes = 4 << 20

  func append(_ bytes: [UInt8]) {
    room(bytes.count).copyBytes(from: bytes)
    fill(bytes.count)
  }

  func removeAll() {
    start = 0
    end = 0
  }

  private func makeRoom(_ needed: Int) {
    if capacity - count >= needed, start >= count {
      memcpy(base, base + start, count)
    } else {
      let size = max(2 * capacity, count + needed)
      let larger = Self.allocate(size)
      memcpy(larger, base + start, count)
      free(base)
      base = larger
      capacity = size
    }
    end = count
    start = 0
  }

  private static func allocate(_ size: Int) -> UnsafeMutableRawPointer {
    guard let memory = malloc(size) else { preconditionFailure("out of memory: \(size) bytes") }
    return memory
  }
}

/// A stretch of a file that is in memory and moves forward over it; each byte is read once as long as it does.
struct JournalWindow {
  typealias Read = (_ offset: Int, _ buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int

  /// Bytes asked for at a time, at least.
  static let chunkBytes = 1 << 20

  /// Bytes of the file.
  let byteCount: Int
  private let read: Read
  private var bytes: [UInt8] = []
  /// Where `bytes` begin in the file.
  private var start = 0

  /// - Parameter read: reads into a buffer from an offset on and returns how many bytes it read: fewer only at the end.
  init(byteCount: Int, read: @escaping Read) {
    self.byteCount = byteCount
    self.read = read
  }

  /// Makes a stretch available.
  /// - Returns: false when it reaches beyond the end of the file.
  /// - Throws: what the file throws; `io` when it has become shorter.
  mutating func load(at offset: Int, count: Int) throws(JournalError) -> Bool {
    guard count <= byteCount - offset else { return false }
    let end = start + bytes.count
    if offset >= start, offset + count <= end { return true }
    if offset >= start, offset <= end {
      bytes.removeFirst(offset - start)
    } else {
      bytes.removeAll(keepingCapacity: true)
    }
    start = offset
    let old = bytes.count
    let wanted = min(max(count, Self.chunkBytes), byteCount - offset)
    bytes.append(contentsOf: repeatElement(0, count: wanted - old))
    let read = self.read
    let done = try bytes.lendMutable { buffer throws(JournalError) in
      try read(offset + old, UnsafeMutableRawBufferPointer(rebasing: buffer[old...]))
    }
    guard done == wanted - old else {
      throw JournalError(.io, "the file became shorter while it was read", offset: offset + old + done)
    }
    return true
  }

  /// Lends a stretch that `load` has made available.
  func withBytes<Result, Failure: Error>(
    at offset: Int, count: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try bytes.lend { buffer throws(Failure) in
      try body(UnsafeRawBufferPointer(rebasing: buffer[(offset - start)..<(offset - start + count)]))
    }
  }
}

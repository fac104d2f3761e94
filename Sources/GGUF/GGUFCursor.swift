/// Reads the little-endian fields of a header one after the other; nothing is touched before it is known to be there.
///
/// Over a file it reads ahead in a window that doubles, so that a header costs at most about twice its size however
/// large the file is.
struct GGUFCursor {
  /// The file's first bytes, as far as they have been read.
  private(set) var bytes: [UInt8]
  /// The next byte to be read.
  private(set) var position = 0
  /// Path for error messages.
  let path: String
  private let file: OpenFile?
  private let available: Int
  private let headerLimit: Int

  private static let firstWindow = 256 << 10

  /// Over a file, of which at most `limit` bytes are read.
  init(_ file: OpenFile, limit: Int) {
    bytes = []
    path = file.path
    self.file = file
    available = file.identity.byteCount
    headerLimit = limit
  }

  /// Over bytes in memory.
  init(_ bytes: [UInt8], path: String, limit: Int) {
    self.bytes = bytes
    self.path = path
    file = nil
    available = bytes.count
    headerLimit = limit
  }

  func error(_ code: GGUFError.Code, _ message: String, at offset: Int? = nil) -> GGUFError {
    GGUFError(code, message, file: path, offset: offset ?? position)
  }

  /// Makes sure that `count` more bytes are in `bytes`.
  mutating func need(_ count: Int, _ what: @autoclosure () -> String) throws(GGUFError) {
    guard count <= available - position else {
      throw error(
        .truncated,
        "\(what()) needs \(count) bytes, but only \(available - position) are left; "
          + "the file is damaged or was not copied completely")
    }
    guard count <= headerLimit - position else {
      throw error(.limitExceeded, "\(what()) reaches past the \(headerLimit) bytes that a header may have")
    }
    if position + count > bytes.count { try grow(to: position + count) }
  }

  /// Checks a count before anything is allocated for it: against its limit, and against the bytes that are left when
  /// each item takes at least `minimalBytes`.
  func checked(
    count: UInt64, limit: Int, minimalBytes: Int, _ what: @autoclosure () -> String, at offset: Int
  ) throws(GGUFError) -> Int {
    guard let items = Int(exactly: count), items <= limit else {
      throw error(.limitExceeded, "\(what()): \(count), but at most \(limit) are allowed", at: offset)
    }
    guard items <= (available - position) / minimalBytes else {
      throw error(
        .truncated, "\(what()): \(count), but the \(available - position) bytes that are left cannot hold as many",
        at: offset)
    }
    guard items <= (headerLimit - position) / minimalBytes else {
      throw error(
        .limitExceeded, "\(what()): \(count), which reaches past the \(headerLimit) bytes that a header may have",
        at: offset)
    }
    return items
  }

  mutating func byte(_ what: @autoclosure () -> String) throws(GGUFError) -> UInt8 {
    try scalar(UInt8.self, what())
  }

  mutating func uint32(_ what: @autoclosure () -> String) throws(GGUFError) -> UInt32 {
    try scalar(UInt32.self, what())
  }

  mutating func uint64(_ what: @autoclosure () -> String) throws(GGUFError) -> UInt64 {
    try scalar(UInt64.self, what())
  }

  /// One number of any width.
  mutating func scalar<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type, _ what: @autoclosure () -> String
  ) throws(GGUFError) -> Number {
    let size = MemoryLayout<Number>.size
    try need(size, what())
    let value = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: Number.self) }
    position += size
    return Number(littleEndian: value)
  }

  /// `count` numbers of one width; the caller has checked the count.
  mutating func scalars<Number: FixedWidthInteger & BitwiseCopyable, Element>(
    _ type: Number.Type, count: Int, _ what: @autoclosure () -> String, _ convert: (Number) -> Element
  ) throws(GGUFError) -> [Element] {
    let size = MemoryLayout<Number>.size
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
    try need(overflow ? .max : byteCount, what())
    let start = position
    let elements = bytes.withUnsafeBytes { buffer in
      (0..<count).map { index in
        convert(Number(littleEndian: buffer.loadUnaligned(fromByteOffset: start + index * size, as: Number.self)))
      }
    }
    position += byteCount
    return elements
  }

  /// A string with its uint64 length before it.
  mutating func string(limit: Int, _ what: @autoclosure () -> String) throws(GGUFError) -> String {
    let start = position
    let length = try uint64("the length of \(what())")
    guard let count = Int(exactly: length), count <= limit else {
      throw error(.limitExceeded, "\(what()) claims \(length) bytes, but at most \(limit) are allowed", at: start)
    }
    try need(count, what())
    let from = position
    let string = bytes.withUnsafeBytes { String(validating: $0[from..<from + count], as: UTF8.self) }
    guard let string else { throw error(.badValue, "\(what()) is not valid UTF-8", at: from) }
    position += count
    return string
  }

  private mutating func grow(to end: Int) throws(GGUFError) {
    // Without a file all bytes are in memory, and `need` has compared with their number.
    guard let file else { preconditionFailure("a header in memory cannot grow") }
    let old = bytes.count
    let target = min(max(end, 2 * old, Self.firstWindow), available, headerLimit)
    var grown = [UInt8](repeating: 0, count: target)
    var failure: GGUFError?
    grown.withUnsafeMutableBytes { buffer in
      bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
      do throws(GGUFError) {
        try file.read(at: old, into: UnsafeMutableRawBufferPointer(rebasing: buffer[old...]))
      } catch { failure = error }
    }
    if let failure { throw failure }
    bytes = grown
  }
}

/// Reads weights from the files of a model. Threads may share it; each read names its place.
public final class GGUFDataReader: Sendable {
  /// Paths of the files, in order.
  public let paths: [String]
  /// Size, inode and time of each file when it was opened.
  public let identities: [FileIdentity]
  private let files: [OpenFile]

  /// Opens the files and keeps them open.
  /// - Parameter paths: as in `GGUFFile.paths`.
  /// - Throws: `io` when a file cannot be opened or is no regular file.
  public init(paths: [String]) throws(GGUFError) {
    var files: [OpenFile] = []
    for path in paths { files.append(try OpenFile(path)) }
    self.paths = paths
    self.files = files
    identities = files.map(\.identity)
  }

  /// Opens files that must be those whose headers are known, such as a worker's own copy of a model that it was told
  /// of over the wire.
  /// - Parameters:
  ///   - paths: one for each header, in order.
  ///   - headers: as in `GGUFFile.headers`; their own paths do not matter.
  /// - Throws: `io` as `init(paths:)`, and when a file's size or header bytes differ.
  public convenience init(paths: [String], matching headers: [GGUFHeader]) throws(GGUFError) {
    try self.init(paths: paths)
    guard paths.count == headers.count else {
      throw GGUFError(.splitMismatch, "the model has \(headers.count) files, but \(paths.count) paths were given")
    }
    for (index, header) in headers.enumerated() {
      let size = identities[index].byteCount
      guard size == header.fileByteCount, size >= header.bytes.count,
        try bytes(ByteRange(file: index, offset: 0, byteCount: header.bytes.count)) == header.bytes
      else {
        throw GGUFError(
          .io,
          "this is not the file that the header describes (\(size) bytes, not \(header.fileByteCount), or other "
            + "metadata or tensors)", file: paths[index])
      }
    }
  }

  /// Fills `buffer` with the bytes of `range`.
  /// - Parameter buffer: exactly `range.byteCount` bytes.
  /// - Throws: `io` when the file has become shorter or cannot be read, `badValue` when there is no such range.
  public func read(_ range: ByteRange, into buffer: UnsafeMutableRawBufferPointer) throws(GGUFError) {
    guard files.indices.contains(range.file) else {
      throw GGUFError(.badValue, "there is no file \(range.file); the model has \(files.count)")
    }
    guard range.offset >= 0, range.byteCount >= 0, range.byteCount <= Int.max - range.offset else {
      throw GGUFError(
        .badValue, "\(range.byteCount) bytes at byte \(range.offset) is no range", file: paths[range.file])
    }
    precondition(buffer.count == range.byteCount, "the buffer must have the size of the range")
    try files[range.file].read(at: range.offset, into: buffer)
  }

  /// The bytes of `range` in an array of their own.
  /// - Throws: as `read(_:into:)`; `io` as well when the range reaches past the file's end.
  public func bytes(_ range: ByteRange) throws(GGUFError) -> [UInt8] {
    guard files.indices.contains(range.file), range.offset >= 0, range.byteCount >= 0,
      range.byteCount <= identities[range.file].byteCount - range.offset
    else {
      throw GGUFError(.badValue, "\(range.byteCount) bytes at byte \(range.offset) of file \(range.file) do not exist")
    }
    var bytes = [UInt8](repeating: 0, count: range.byteCount)
    var failure: GGUFError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(GGUFError) { try read(range, into: buffer) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// True while every open file still has the size, inode and time it was opened with.
  /// - Throws: `io` when the system cannot say.
  public func isUnchanged() throws(GGUFError) -> Bool {
    for (file, identity) in zip(files, identities) where try file.currentIdentity() != identity { return false }
    return true
  }
}

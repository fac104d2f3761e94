#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What tells one state of a file from another without reading it: a file that was edited or replaced differs in at
/// least one of these.
public struct FileIdentity: Hashable, Sendable {
  /// Bytes of the file.
  public let byteCount: Int
  /// Number of the file in its file system.
  public let inode: UInt64
  /// Time of the last change of its content, in nanoseconds since 1970.
  public let modified: Int64

  /// - Parameters:
  ///   - byteCount: bytes of the file.
  ///   - inode: number of the file in its file system.
  ///   - modified: nanoseconds since 1970.
  public init(byteCount: Int, inode: UInt64, modified: Int64) {
    self.byteCount = byteCount
    self.inode = inode
    self.modified = modified
  }

  /// The identity of the file at `path` as it is now.
  /// - Throws: `io` when it cannot be found.
  public init(path: String) throws(GGUFError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw GGUFError(.io, "cannot find the file: \(systemError(errno))", file: path)
    }
    self.init(status)
  }

  init(_ status: stat) {
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    self.init(
      byteCount: Int(status.st_size), inode: UInt64(status.st_ino),
      modified: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
  }
}

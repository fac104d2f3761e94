#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Raw bytes to a file, or to standard output.
struct RawOutput: ~Copyable {
  private let path: String
  private let file: Int32

  /// Creates the file, or empties it; `-` stands for standard output.
  /// - Throws: `InputError` when it cannot be created.
  init(path: String) throws {
    self.path = path
    file = path == "-" ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw InputError(.cannotCreate, "\(path): \(String(cString: strerror(errno)))") }
  }

  deinit { if file != STDOUT_FILENO { close(file) } }

  /// Writes numbers as little-endian float32.
  /// - Throws: `ExitCode` when nobody reads standard output any more, `InputError` when the file takes no more.
  func write(_ values: [Float]) throws {
    try values.map(\.bitPattern.littleEndian).withUnsafeBytes { bytes in
      var rest = bytes
      while !rest.isEmpty {
        let count = systemWrite(file, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        if count < 0 && errno == EPIPE { throw ExitStatus.closedPipe.code }
        guard count > 0 else { throw InputError(.ioError, "\(path): \(String(cString: strerror(errno)))") }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }
}

/// `write(2)`, whose name `RawOutput.write` hides.
private func systemWrite(_ file: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int { write(file, base, count) }

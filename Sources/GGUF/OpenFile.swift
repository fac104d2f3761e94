#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A regular file open for reading, closed with its last owner. Reads name their place, so threads can share it.
final class OpenFile: Sendable {
  let path: String
  let identity: FileIdentity
  private let descriptor: Int32

  /// - Throws: `io` when there is no such file, or it is a directory, a pipe or a device.
  init(_ path: String) throws(GGUFError) {
    // O_NONBLOCK: opening a pipe nobody writes to must not hang; it does nothing to regular files.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw GGUFError(.io, "cannot open: \(systemError(errno))", file: path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let reason = systemError(errno)
      close(descriptor)
      throw GGUFError(.io, "cannot read the file's size: \(reason)", file: path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a directory" : "no regular file"
      throw GGUFError(.io, "this is \(kind); name a GGUF file", file: path)
    }
    self.path = path
    self.descriptor = descriptor
    identity = FileIdentity(status)
  }

  deinit { close(descriptor) }

  /// The file's identity by its still open descriptor, as it is now.
  func currentIdentity() throws(GGUFError) -> FileIdentity {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw GGUFError(.io, "cannot read the file's size: \(systemError(errno))", file: path)
    }
    return FileIdentity(status)
  }

  /// Fills all of `buffer` from byte `offset` on.
  /// - Throws: `io` when the file ends before that or the system cannot read.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(GGUFError) {
    var done = 0
    while done < buffer.count {
      // One call reads at most about 2 GiB anyway.
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<min(buffer.count, done + 1 << 30)])
      let count = pread(descriptor, piece.baseAddress, piece.count, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        throw GGUFError(
          .io,
          "the file is shorter than it was: \(buffer.count) bytes were to be read from byte \(offset), "
            + "it ends after \(done) of them; was it replaced while in use?", file: path, offset: offset + done)
      } else if errno != EINTR {
        throw GGUFError(.io, "cannot read: \(systemError(errno))", file: path, offset: offset + done)
      }
    }
  }
}

/// The system's own words for an error number.
func systemError(_ number: Int32) -> String {
  guard let text = strerror(number) else { return "error \(number)" }
  return String(cString: text)
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes `bytes` beside `path` and renames, so that nobody sees half a file under that name.
func replaceFile(_ path: String, with bytes: [UInt8]) throws(GGUFError) {
  let partial = path + ".partial"
  let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
  guard descriptor >= 0 else { throw GGUFError(.io, "cannot create: \(systemError(errno))", file: partial) }
  var failure = writeAll(bytes, to: descriptor)
  if close(descriptor) != 0, failure == nil { failure = errno }
  if failure == nil, rename(partial, path) != 0 { failure = errno }
  guard let failure else { return }
  unlink(partial)
  throw GGUFError(.io, "cannot write: \(systemError(failure))", file: path)
}

/// The system's error number; nil when all bytes were written.
private func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
  bytes.withUnsafeBytes { buffer in
    var done = 0
    while done < buffer.count {
      let piece = UnsafeRawBufferPointer(rebasing: buffer[done..<min(buffer.count, done + 1 << 30)])
      let count = write(descriptor, piece.baseAddress, piece.count)
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        return count == 0 ? EIO : errno
      }
    }
    return nil
  }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension Files {
  private struct TemporaryFile: ~Copyable {
    let file: Descriptor
    let path: String

    consuming func release() -> Descriptor { file }
  }

  /// Writes a file so that it is there whole or not at all: beside its place, to the disk, then into its place.
  static func writeWhole(
    _ bytes: UnsafeRawBufferPointer, as name: String, in folder: String
  ) throws(ShardStoreError) {
    _ = try publish(bytes, as: name, in: folder, isDurable: true)
  }

  /// Writes a file so that it is there whole or not at all, and gives it back open and locked, as it was from before
  /// anyone could see it by its name.
  ///
  /// The file beside its place is locked while its writer lives, so that what a crash left behind can be told from what
  /// another process is writing just now.
  ///
  /// - Parameter isDurable: whether it must outlive a crash of the machine.
  static func publish(
    _ bytes: UnsafeRawBufferPointer, as name: String, in folder: String, isDurable: Bool
  ) throws(ShardStoreError) -> Descriptor {
    let temporary = try makeTemporary(in: folder)
    do throws(ShardStoreError) {
      try write(bytes, to: temporary.file, path: temporary.path)
      guard !isDurable || fsync(temporary.file.number) == 0 else {
        throw ShardStoreError(system: errno, "cannot write", path: temporary.path)
      }
      guard rename(temporary.path, folder + "/" + name) == 0 else {
        throw ShardStoreError(system: errno, "cannot rename", path: temporary.path)
      }
    } catch {
      unlink(temporary.path)
      throw error
    }
    return temporary.release()
  }

  /// Writes all of `bytes`.
  static func write(
    _ bytes: UnsafeRawBufferPointer, to file: borrowing Descriptor, path: String
  ) throws(ShardStoreError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = systemWrite(file.number, rest)
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw ShardStoreError(system: count == 0 ? ENOSPC : errno, "cannot write", path: path)
      }
    }
  }

  /// Removes the files that writers left behind which are no more.
  static func removeLeftovers(in folder: String) {
    for name in names(in: folder) where name.hasPrefix(temporaryPrefix) {
      let path = folder + "/" + name
      let number = systemOpen(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard number >= 0 else { continue }
      let file = Descriptor(number)
      if flock(file.number, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
    }
  }

  /// A path for a file that is still being written, or about to go.
  static func temporaryPath(in folder: String) -> String {
    folder + "/" + temporaryPrefix + String(UInt64.random(in: 0 ... .max), radix: 16)
  }

  private static func makeTemporary(in folder: String) throws(ShardStoreError) -> TemporaryFile {
    for _ in 0..<16 {
      let path = temporaryPath(in: folder)
      let number = systemOpen(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard number >= 0 else {
        if errno == EEXIST { continue }
        throw ShardStoreError(system: errno, "cannot create a file in the folder", path: folder)
      }
      let file = Descriptor(number)
      // Another process that cleans up may have come between the creation and the lock.
      if flock(file.number, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK { continue }
      var status = stat()
      if fstat(file.number, &status) == 0, status.st_nlink == 0 { continue }
      return TemporaryFile(file: file, path: path)
    }
    throw ShardStoreError(.io, "cannot create a file in the folder: all names tried are taken", path: folder)
  }
}

/// The system's `write`, which `Files.write` hides inside `Files`.
private func systemWrite(_ number: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
  write(number, bytes.baseAddress, bytes.count)
}

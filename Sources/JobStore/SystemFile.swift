#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An open file or folder, closed with its last owner; and the system calls that the state folder is made of.
final class SystemFile: Sendable {
  let number: Int32
  let path: String

  private init(number: Int32, path: String) {
    self.number = number
    self.path = path
  }

  deinit { close(number) }

  /// Opens a regular file, or a folder if the flags say so; never follows a link.
  /// - Returns: nil when there is none.
  static func open(_ path: String, _ flags: Int32) throws(JournalError) -> SystemFile? {
    let number = systemOpen(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
    guard number >= 0 else {
      if errno == ENOENT { return nil }
      throw JournalError(system: errno, "cannot open", path: path)
    }
    let file = SystemFile(number: number, path: path)
    var status = stat()
    guard fstat(number, &status) == 0 else { throw JournalError(system: errno, "cannot look at", path: path) }
    let isRight = status.st_mode & S_IFMT == (flags & O_DIRECTORY != 0 ? S_IFDIR : S_IFREG)
    guard isRight else { throw JournalError(.io, "this is not a regular file; move it away", path: path) }
    return file
  }

  /// Creates a file, or empties the one that is there.
  static func create(_ path: String) throws(JournalError) -> SystemFile {
    guard let file = try open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND) else {
      throw JournalError(system: ENOENT, "cannot create", path: path)
    }
    return file
  }

  /// Creates a folder and those above it, for this user only.
  static func makeFolder(_ path: String) throws(JournalError) {
    let parent = path.dropLast().lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    if mkdir(path, 0o700) == 0 { return try syncFolder(parent) }
    var number = errno
    if number == ENOENT, parent != ".", parent != "/" {
      try makeFolder(parent)
      if mkdir(path, 0o700) == 0 { return try syncFolder(parent) }
      number = errno
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    throw JournalError(system: number == EEXIST ? ENOTDIR : number, "cannot create the folder", path: path)
  }

  func byteCount() throws(JournalError) -> Int {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw JournalError(system: errno, "cannot look at", path: path) }
    return Int(status.st_size)
  }

  /// Reads until the buffer is full or the file ends; returns the bytes read.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = pread(number, rest.baseAddress, rest.count, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        break
      } else if errno != EINTR {
        throw JournalError(system: errno, "cannot read", path: path)
      }
    }
    return done
  }

  /// Writes all of `bytes` at the end.
  func append(_ bytes: [UInt8]) throws(JournalError) {
    try bytes.lend { buffer throws(JournalError) in
      var done = 0
      while done < buffer.count {
        let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
        let count = write(number, rest.baseAddress, rest.count)
        if count > 0 {
          done += count
        } else if count == 0 || errno != EINTR {
          throw JournalError(system: count == 0 ? ENOSPC : errno, "cannot write", path: path)
        }
      }
    }
  }

  func truncate(to byteCount: Int) throws(JournalError) {
    while ftruncate(number, off_t(byteCount)) != 0 {
      guard errno == EINTR else { throw JournalError(system: errno, "cannot cut", path: path) }
    }
  }

  /// Returns when the bytes, and the length, are on the disk; of a folder, its names.
  func sync() throws(JournalError) {
    // Darwin's fsync leaves the bytes in the drive.
    #if canImport(Darwin)
      if fcntl(number, F_FULLFSYNC) == 0 { return }
    #endif
    while fsync(number) != 0 {
      guard errno == EINTR else { throw JournalError(system: errno, "cannot write to the disk", path: path) }
    }
  }

  /// As `sync`, without the times of a file.
  func syncData() throws(JournalError) {
    #if canImport(Darwin)
      try sync()
    #else
      while fdatasync(number) != 0 {
        guard errno == EINTR else { throw JournalError(system: errno, "cannot write to the disk", path: path) }
      }
    #endif
  }

  /// Takes the file for this process as long as it is open; false when another one has it.
  func lock() throws(JournalError) -> Bool {
    while flock(number, LOCK_EX | LOCK_NB) != 0 {
      if errno == EWOULDBLOCK { return false }
      guard errno == EINTR else { throw JournalError(system: errno, "cannot lock", path: path) }
    }
    return true
  }

  /// Gives a file another name in the folder, in place of the file that has it, and returns when that is on the disk.
  static func rename(_ name: String, to other: String, in folder: String) throws(JournalError) {
    guard systemRename(folder + "/" + name, folder + "/" + other) == 0 else {
      throw JournalError(system: errno, "cannot rename", path: folder + "/" + name)
    }
    try syncFolder(folder)
  }

  /// Returns when the names in a folder are on the disk.
  private static func syncFolder(_ path: String) throws(JournalError) {
    // The folder itself, also when its name is a link.
    guard let folder = try open(path + "/.", O_RDONLY | O_DIRECTORY) else {
      throw JournalError(system: ENOENT, "cannot open the folder", path: path)
    }
    try folder.sync()
  }

  /// Removes a file, as far as possible.
  static func remove(_ path: String) { unlink(path) }
}

/// The system's calls, which those of the same name hide inside `SystemFile`.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }
private func systemRename(_ path: String, _ other: String) -> Int32 { rename(path, other) }

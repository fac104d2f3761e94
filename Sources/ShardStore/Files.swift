#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An open file, closed with its owner.
struct Descriptor: ~Copyable {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  deinit { close(number) }
}

/// The system calls the store is made of.
enum Files {
  /// What is asked about a file: its size and the time of its last change in nanoseconds since 1970.
  struct Status {
    let byteCount: Int
    let modified: Int64
  }

  /// Names of files that are still being written begin like this.
  static let temporaryPrefix = ".tmp-"
  /// Bytes read at a time: few enough to be hashed while they are in the cache.
  static let chunkBytes = 1 << 20

  /// Creates a folder and those above it, for this user only.
  static func makeFolder(_ path: String) throws(ShardStoreError) {
    if mkdir(path, 0o700) == 0 { return }
    var number = errno
    if number == ENOENT, let slash = path.dropLast().lastIndex(of: "/"), slash > path.startIndex {
      try makeFolder(String(path[..<slash]))
      if mkdir(path, 0o700) == 0 { return }
      number = errno
    }
    if isFolder(path) { return }
    throw ShardStoreError(system: number == EEXIST ? ENOTDIR : number, "cannot create the folder", path: path)
  }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The names in a folder, sorted; none when it cannot be read.
  static func names(in folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Nil unless there is a regular file (not a link) of that name.
  static func status(_ path: String) -> Status? {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Status(status)
  }

  /// Opens a regular file for reading; nil when there is none.
  static func open(_ path: String) throws(ShardStoreError) -> Descriptor? {
    let number = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard number >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw ShardStoreError(system: errno, "cannot open", path: path)
    }
    return Descriptor(number)
  }

  /// Size and time of an open file; nil unless it is a regular one.
  static func status(_ file: borrowing Descriptor) -> Status? {
    var status = stat()
    guard fstat(file.number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Status(status)
  }

  /// Reads until the buffer is full or the file ends; returns the bytes read.
  static func read(
    _ file: borrowing Descriptor, at offset: Int, into buffer: UnsafeMutableRawBufferPointer, path: String
  ) throws(ShardStoreError) -> Int {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = pread(file.number, rest.baseAddress, rest.count, off_t(offset + done))
      if count > 0 {
        done += count
      } else if count == 0 {
        break
      } else if errno != EINTR {
        throw ShardStoreError(system: errno, "cannot read", path: path)
      }
    }
    return done
  }

  /// Sets the time of an open file to now. A store that may not be written to keeps the old time.
  static func touch(_ file: borrowing Descriptor) { futimens(file.number, nil) }

  /// Sets the time of the file at `path` to now.
  static func touch(_ path: String) { utimensat(AT_FDCWD, path, nil, AT_SYMLINK_NOFOLLOW) }

  /// Whether somebody who opened the file elsewhere holds a lock on it. On a file system without locks: true, since nobody
  /// can tell.
  static func isLocked(_ file: borrowing Descriptor) -> Bool { flock(file.number, LOCK_SH | LOCK_NB) != 0 }

  /// Whether an open file still has a name.
  static func hasName(_ file: borrowing Descriptor) -> Bool {
    var status = stat()
    return fstat(file.number, &status) == 0 && status.st_nlink > 0
  }

  /// Removes a file; nothing happens when there is none.
  static func remove(_ path: String) throws(ShardStoreError) {
    if unlink(path) != 0, errno != ENOENT { throw ShardStoreError(system: errno, "cannot remove", path: path) }
  }

  /// The path with links and relative parts resolved; as it is when the system cannot say.
  static func absolutePath(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

/// The system's `open`, which `Files.open` hides inside `Files`.
func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { open(path, flags, mode) }

extension Files.Status {
  fileprivate init(_ status: stat) {
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    self.init(
      byteCount: Int(status.st_size),
      modified: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
  }
}

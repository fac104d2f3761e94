import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A child process with pipes as its standard streams, in a process group of its own (a terminal's Ctrl-C reaches only
/// this process, which then takes its children down in order).
struct SpawnedChild {
  let processID: pid_t
  /// Write end of its standard input.
  let standardInput: Int32
  /// Read ends, non-blocking.
  let standardOutput: Int32
  let standardError: Int32

  /// Why a child could not be started.
  struct Failure: Error {
    let reason: String

    init(_ step: String, _ code: Int32) { reason = "\(step): \(String(cString: strerror(code)))" }
  }

  /// One child at a time: none inherits the pipes of another that is just being made.
  private static let spawning = Mutex(())

  static func start(executable: String, arguments: [String]) throws(Failure) -> SpawnedChild {
    let result = spawning.withLock { _ -> Result<SpawnedChild, Failure> in
      do throws(Failure) {
        return .success(try SpawnedChild(executable: executable, arguments: arguments))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private init(executable: String, arguments: [String]) throws(Failure) {
    var pipes = Pipes()
    do {
      let input = try pipes.make()
      let output = try pipes.make()
      let error = try pipes.make()
      processID = try Self.spawn(
        executable, ["shoal"] + arguments, streams: [input.read, output.write, error.write])
      for descriptor in [output.read, error.read] {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
      }
      for descriptor in [input.read, output.write, error.write] { close(descriptor) }
      (standardInput, standardOutput, standardError) = (input.write, output.read, error.read)
    } catch {
      pipes.closeAll()
      throw error
    }
  }

  private struct Pipes {
    private var all: [Int32] = []

    mutating func make() throws(Failure) -> (read: Int32, write: Int32) {
      var ends: [Int32] = [-1, -1]
      guard pipe(&ends) == 0 else { throw Failure("no pipe could be made", errno) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      all += ends
      return (ends[0], ends[1])
    }

    func closeAll() { for descriptor in all { close(descriptor) } }
  }

  private static func spawn(
    _ executable: String, _ arguments: [String], streams: [Int32]
  ) throws(Failure) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (index, descriptor) in streams.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(index))
    }
    for descriptor in openDescriptors() where descriptor > 2 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var defaults = sigset_t()
    sigemptyset(&defaults)
    for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP] { sigaddset(&defaults, signal) }
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var processID: pid_t = 0
    let code = withCStrings(arguments) { arguments in
      withCStrings(environment()) { environment in
        posix_spawn(&processID, executable, &actions, &attributes, arguments, environment)
      }
    }
    guard code == 0 else { throw Failure("\(executable) could not be run", code) }
    return processID
  }

  /// Descriptors of this process that a child must not see, whether or not they are marked so.
  private static func openDescriptors() -> [Int32] {
    guard let directory = opendir("/proc/self/fd") else { return [] }
    defer { closedir(directory) }
    var found: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let descriptor = Int32(name) { found.append(descriptor) }
    }
    return found
  }

  /// Lends the strings as the null-terminated array that the system wants.
  private static func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    var pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }

  /// The variables this process was started with, `NAME=value`.
  private static func environment() -> [String] {
    let file = open("/proc/self/environ", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while bytes.count < 4 << 20 {
      let count = chunk.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}

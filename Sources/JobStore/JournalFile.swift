private import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The journal's file in a state folder, which stays taken as long as this lives.
public final class JournalFile: JobDisk {
  private struct State {
    var file: SystemFile?
    var replacement: SystemFile?
  }

  private static let name = "journal"
  private static let replacementName = ".tmp-journal"

  private let folder: StateFolder
  private let state = Mutex(State())

  init(_ folder: StateFolder) { self.folder = folder }

  public var path: String? { folder.path + "/" + Self.name }

  public func byteCount() throws(JournalError) -> Int? {
    try state.withLock { state throws(JournalError) in
      if state.file == nil { state.file = try SystemFile.open(folder.path + "/" + Self.name, O_RDWR | O_APPEND) }
      return try state.file?.byteCount()
    }
  }

  public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
    try file().read(at: offset, into: buffer)
  }

  public func append(_ bytes: [UInt8]) throws(JournalError) { try file().append(bytes) }

  public func sync() throws(JournalError) { try file().syncData() }

  public func truncate(to byteCount: Int) throws(JournalError) { try file().truncate(to: byteCount) }

  public func beginReplacement() throws(JournalError) {
    try state.withLock { state throws(JournalError) in
      state.replacement = try SystemFile.create(folder.path + "/" + Self.replacementName)
    }
  }

  public func appendToReplacement(_ bytes: [UInt8]) throws(JournalError) { try replacement().append(bytes) }

  public func syncReplacement() throws(JournalError) { try replacement().sync() }

  public func installReplacement() throws(JournalError) {
    _ = try replacement()
    try SystemFile.rename(Self.replacementName, to: Self.name, in: folder.path)
    state.withLock { $0 = State() }
    // Opened anew, so that its errors name it as it is called now.
    guard try byteCount() != nil else { throw JournalError(.io, "the journal is gone", path: path) }
  }

  public func discardReplacement() {
    state.withLock { $0.replacement = nil }
    SystemFile.remove(folder.path + "/" + Self.replacementName)
  }

  private func file() throws(JournalError) -> SystemFile {
    guard let file = state.withLock({ $0.file }) else {
      throw JournalError(.io, "there is no journal yet", path: path)
    }
    return file
  }

  private func replacement() throws(JournalError) -> SystemFile {
    guard let file = state.withLock({ $0.replacement }) else {
      throw JournalError(.io, "no replacement of the journal was begun", path: path)
    }
    return file
  }
}

import Synchronization
public import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Pieces of weights on disk, named by the SHA-256 of their bytes, so that a restart need not fetch them again.
///
/// Several processes may use one folder at once, and threads may share one value. The folder is a cache: whatever is in
/// it can be deleted at any time, and a piece that was damaged is found out by its hash when it is loaded.
///
///     DIR/pieces/ab/abcdef...   the piece with the digest abcdef... (64 digits)
///     DIR/manifests/...         hashes of model files, see `manifest(for:reader:progress:)`
///     DIR/pins/1234-...         what the process 1234 has in use, see `pin(_:)`
///
/// Folders and files are made for their user only. The time of a piece's file says when it was last used.
public final class ShardStore: Sendable {
  struct State: ~Copyable {
    /// How often each piece is in use here.
    var pins: [Digest: Int] = [:]
    /// The file that tells other processes so, locked; nil when there is nothing to tell, or no place for it.
    var pinFile: Descriptor?
    /// Whether that file is up to date.
    var arePinsTold = true
    var hasWarnedOfPins = false
    /// Bytes of the pieces at the last look at the folder, and those inserted since by this value.
    var scannedBytes: Int?
    var insertedBytes = 0
    /// Bytes of the pieces that are being written.
    var reservedBytes = 0
  }

  /// The folder.
  public let directory: String
  /// Most bytes that pieces may take; nil for no limit.
  public let budget: Int?
  let warning: @Sendable (String) -> Void
  /// Name of the file with the pins of this value.
  let pinName = PinList.fileName(processID: getpid())
  let state = Mutex(State())

  /// Opens a store, creating its folder if there is none, and removes what crashed writers left behind. A folder that
  /// exists but may not be written to is opened all the same; only inserting fails then.
  ///
  /// - Parameters:
  ///   - directory: the folder.
  ///   - budget: most bytes that pieces may take; processes that share the folder should state the same.
  ///   - warning: told what went wrong without consequence, such as a cache file that cannot be written.
  /// - Throws: `notWritable`, `noSpace` or `io` when the folder can be neither found nor made. A caller goes on without
  ///   a store then: it is a cache.
  public init(
    directory: String, budget: Int? = nil, warning: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(ShardStoreError) {
    precondition(budget.map { $0 >= 0 } ?? true, "negative budget")
    self.directory = directory
    self.budget = budget
    self.warning = warning
    do throws(ShardStoreError) {
      try Files.makeFolder(pieceFolder)
      try Files.makeFolder(manifestFolder)
    } catch {
      guard error.code == .notWritable, Files.isFolder(directory) else { throw error }
    }
    Files.removeLeftovers(in: manifestFolder)
    Files.removeLeftovers(in: pinFolder)
    for folder in subfolders { Files.removeLeftovers(in: folder) }
  }

  deinit { state.withLock { withdrawPins(&$0) } }

  /// Whether there is a store's folder at `directory`; opening one would make it.
  public static func exists(at directory: String) -> Bool { Files.isFolder(joined(directory, "pieces")) }

  /// Where the store is unless the user says otherwise: `$XDG_CACHE_HOME/shoal`, else `$HOME/.cache/shoal`; nil when
  /// neither is set to an absolute path (others do not count, as the XDG base directory specification says).
  public static func defaultDirectory(environment: [String: String]) -> String? {
    func absolute(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
    if let cache = absolute("XDG_CACHE_HOME") { return joined(cache, "shoal") }
    return absolute("HOME").map { joined($0, ".cache/shoal") }
  }

  private static func joined(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  var pieceFolder: String { Self.joined(directory, "pieces") }
  var manifestFolder: String { Self.joined(directory, "manifests") }
  var pinFolder: String { Self.joined(directory, "pins") }

  /// The folder of a piece, and its name there.
  func place(_ digest: Digest) -> (folder: String, name: String) {
    let name = digest.hexadecimal
    return (pieceFolder + "/" + name.prefix(2), name)
  }

  /// The path of a piece's file.
  func path(_ digest: Digest) -> String {
    let place = place(digest)
    return place.folder + "/" + place.name
  }

  /// The folders that exist for pieces: named by the first two digits.
  var subfolders: [String] {
    Files.names(in: pieceFolder).filter { $0.utf8.count == 2 }.map { pieceFolder + "/" + $0 }
  }
}

extension ShardStore {
  /// Whether a piece of that name and size is there. Its bytes are not looked at.
  public func contains(_ entry: PieceEntry) -> Bool {
    Files.status(path(entry.digest))?.byteCount == entry.byteCount
  }

  /// Reads a piece, and marks it as used just now. The bytes are not compared with the digest: whoever reads hashes
  /// them on the way, as `PieceLoader` does, and calls `remove(_:)` when they are wrong.
  ///
  /// - Parameters:
  ///   - entry: which piece.
  ///   - buffer: exactly `entry.byteCount` bytes.
  ///   - arrived: called with the number of bytes that are in place so far.
  /// - Returns: false when it is not there.
  /// - Throws: `damagedPiece` when it has another size, `io` and `notWritable` when it cannot be opened or read.
  public func read(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, arrived: (Int) -> Void = { _ in }
  ) throws(ShardStoreError) -> Bool {
    precondition(buffer.count == entry.byteCount, "the buffer must have the size of the piece")
    let path = path(entry.digest)
    guard let file = try Files.open(path) else { return false }
    let size = Files.status(file)?.byteCount
    guard size == entry.byteCount else {
      throw ShardStoreError(
        .damagedPiece, "the \(entry.id) has \(size ?? 0) bytes instead of \(entry.byteCount)", path: path)
    }
    var done = 0
    while done < buffer.count {
      let chunk = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<min(buffer.count, done + Files.chunkBytes)])
      guard try Files.read(file, at: done, into: chunk, path: path) == chunk.count else {
        throw ShardStoreError(.damagedPiece, "the \(entry.id) was cut off while it was read", path: path)
      }
      done += chunk.count
      arrived(done)
    }
    Files.touch(file)
    return true
  }

  /// Stores a piece, unless it is there already; first evicts the pieces used least recently if the budget demands it.
  ///
  /// - Parameters:
  ///   - entry: which piece.
  ///   - bytes: its bytes, whose hash the caller has checked.
  /// - Returns: false when it was there already.
  /// - Throws: `overBudget` when it does not fit beside the pieces in use; `noSpace`, `notWritable` or `io`.
  @discardableResult public func insert(
    _ entry: PieceEntry, _ bytes: UnsafeRawBufferPointer
  ) throws(ShardStoreError) -> Bool {
    precondition(bytes.count == entry.byteCount, "the bytes must have the size of the piece")
    let place = place(entry.digest)
    if contains(entry) {
      Files.touch(place.folder + "/" + place.name)
      return false
    }
    restorePins()
    try reserve(entry)
    do throws(ShardStoreError) {
      try write(bytes, as: place.name, in: place.folder)
    } catch {
      state.withLock { $0.reservedBytes -= entry.byteCount }
      throw error
    }
    state.withLock { state in
      state.reservedBytes -= entry.byteCount
      state.insertedBytes += entry.byteCount
    }
    return true
  }

  /// Writes a piece, making its folder, also when somebody deletes that meanwhile.
  private func write(
    _ bytes: UnsafeRawBufferPointer, as name: String, in folder: String
  ) throws(ShardStoreError) {
    for attempt in 1...3 {
      do throws(ShardStoreError) {
        try Files.makeFolder(folder)
        return try Files.writeWhole(bytes, as: name, in: folder)
      } catch {
        if attempt == 3 || Files.isFolder(folder) { throw error }
      }
    }
  }

  /// Removes a piece, in use or not; nothing happens when it is not there.
  /// - Throws: `notWritable` or `io`.
  public func remove(_ digest: Digest) throws(ShardStoreError) { try Files.remove(path(digest)) }

  /// Removes a piece, in use or not, unless its bytes have the right hash after all: another process may have put a good
  /// one in the place of what was read.
  /// - Throws: `notWritable` or `io`.
  func removeDamaged(_ entry: PieceEntry) throws(ShardStoreError) {
    let place = place(entry.digest)
    _ = try Files.remove(place.name, in: place.folder) { file in
      guard Files.status(file)?.byteCount == entry.byteCount else { return false }
      return (try? PieceHasher.digest(of: file, path: place.name)) == entry.digest
    }
  }
}

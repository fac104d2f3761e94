public import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Who a coordinator is, from one start to the next.
public struct ClusterIdentity: Sendable, Hashable {
  /// The cluster's id.
  public var high: UInt64
  public var low: UInt64
  /// Version of the coordinator; it raises it, and stores it, at each start before anyone hears it.
  public var term: CoordinatorTerm

  public init(high: UInt64, low: UInt64, term: CoordinatorTerm) {
    self.high = high
    self.low = low
    self.term = term
  }
}

/// The folder in which a coordinator keeps what has to survive it; one process at a time has it.
///
///     DIR/lock            taken while this value, or the journal's file, lives
///     DIR/cluster         the cluster's id and the term
///     DIR/journal         accepted jobs and their tokens (docs/journal.md)
///     DIR/topology.json   the last accepted topology
///
/// Folder and files are made for their user only.
public final class StateFolder: Sendable {
  /// Most bytes of a topology.
  public static let topologyBytesMax = 16 << 20

  /// The folder.
  public let path: String
  private let lock: SystemFile

  /// Opens a folder, or creates it and those above it, and takes it for this process.
  /// - Throws: `inUse` when another process has it; `notWritable`, `noSpace` or `io` when it can be neither found nor
  ///   made, or not be written to.
  public init(_ path: String) throws(JournalError) {
    try SystemFile.makeFolder(path)
    guard let lock = try SystemFile.open(path + "/lock", O_RDWR | O_CREAT) else {
      throw JournalError(system: ENOENT, "cannot create a file in the folder", path: path)
    }
    guard try lock.lock() else {
      throw JournalError(
        .inUse, "another shoal serve uses this state folder; stop it, or name another folder with --state", path: path)
    }
    self.path = path
    self.lock = lock
  }

  /// Where the folder is unless the user says otherwise: `$XDG_STATE_HOME/shoal`, else `$HOME/.local/state/shoal`; nil
  /// when neither is set to an absolute path (others do not count, as the XDG base directory specification says).
  public static func defaultPath(environment: [String: String]) -> String? {
    func absolute(_ name: String) -> String? { environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } }
    func joined(_ folder: String, _ name: String) -> String {
      folder.hasSuffix("/") ? folder + name : folder + "/" + name
    }
    if let state = absolute("XDG_STATE_HOME") { return joined(state, "shoal") }
    return absolute("HOME").map { joined($0, ".local/state/shoal") }
  }

  /// The journal's file, for one journal at a time.
  public func journalFile() -> JournalFile { JournalFile(self) }

  /// Who the coordinator of this folder was at its last start; nil when there was none.
  /// - Throws: `badFormat` when the file says something else; `io` or `notWritable`.
  public func loadIdentity() throws(JournalError) -> ClusterIdentity? {
    guard let bytes = try load("cluster", limit: 256) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    guard text.last == "\n", words.count == 3, let high = Self.hexadecimal(words[0]),
      let low = Self.hexadecimal(words[1]), let term = Self.decimal(words[2].dropLast())
    else {
      throw JournalError(
        .badFormat,
        "this should be a cluster's id, twice 16 hexadecimal digits, and a term; restore it, or move it away to begin a new cluster, whose first term workers may refuse",
        path: path + "/cluster")
    }
    return ClusterIdentity(high: high, low: low, term: CoordinatorTerm(rawValue: term))
  }

  /// Keeps who the coordinator is; on the disk when it returns.
  /// - Throws: `noSpace`, `notWritable` or `io`; then what was kept before still is.
  public func storeIdentity(_ identity: ClusterIdentity) throws(JournalError) {
    let words = [identity.high, identity.low].map { value in
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
    try store(Array("\(words[0]) \(words[1]) \(identity.term)\n".utf8), as: "cluster")
  }

  /// The bytes of the last accepted topology; nil when there was none.
  /// - Throws: `overLimit`, `io` or `notWritable`.
  public func loadTopology() throws(JournalError) -> [UInt8]? {
    try load("topology.json", limit: Self.topologyBytesMax)
  }

  /// Keeps the bytes of an accepted topology; on the disk when it returns.
  /// - Throws: `overLimit`; `noSpace`, `notWritable` or `io`; then what was kept before still is.
  public func storeTopology(_ bytes: [UInt8]) throws(JournalError) {
    guard bytes.count <= Self.topologyBytesMax else {
      throw JournalError(.overLimit, "a topology of \(bytes.count) bytes, \(Self.topologyBytesMax) are allowed")
    }
    try store(bytes, as: "topology.json")
  }

  private func load(_ name: String, limit: Int) throws(JournalError) -> [UInt8]? {
    guard let file = try SystemFile.open(path + "/" + name, O_RDONLY) else { return nil }
    let count = try file.byteCount()
    guard count <= limit else {
      throw JournalError(.overLimit, "the file has \(count) bytes, \(limit) are allowed", path: file.path)
    }
    var bytes = [UInt8](repeating: 0, count: count)
    let done = try bytes.lendMutable { buffer throws(JournalError) in try file.read(at: 0, into: buffer) }
    return Array(bytes[..<done])
  }

  /// Writes a file so that it is there whole or not at all, under a fixed name beside its place: nobody else writes here.
  private func store(_ bytes: [UInt8], as name: String) throws(JournalError) {
    let temporary = ".tmp-" + name
    do throws(JournalError) {
      let file = try SystemFile.create(path + "/" + temporary)
      try file.append(bytes)
      try file.sync()
      try SystemFile.rename(temporary, to: name, in: path)
    } catch {
      SystemFile.remove(path + "/" + temporary)
      throw error
    }
  }

  private static func hexadecimal(_ text: Substring) -> UInt64? {
    guard text.utf8.count == 16, text.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }) else { return nil }
    return UInt64(text, radix: 16)
  }

  private static func decimal(_ text: Substring) -> UInt32? {
    guard let value = UInt32(text), String(value) == text else { return nil }
    return value
  }
}

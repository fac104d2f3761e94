#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Why jobs, or what else the state folder holds, could not be read or written: what is wrong, where, what to do.
public struct JournalError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of failure, for callers that react to it.
  public enum Code: Sendable, Hashable {
    /// The system refused to open, read or write.
    case io
    /// The disk, or the user's quota on it, is full.
    case noSpace
    /// The folder or the file may not be written to.
    case notWritable
    /// Another process uses the state folder.
    case inUse
    /// The file is no journal, or too short for one.
    case notAJournal
    /// The journal has a format that this program does not know.
    case unknownVersion
    /// A record in the middle of the journal is damaged.
    case damaged
    /// Bytes that were written as they are do not follow the format.
    case badFormat
    /// An entry contradicts those before it.
    case contradiction
    /// A length, count or number is above its stated limit.
    case overLimit
    /// Too much waits to be written; try again later.
    case busy
    /// An earlier failure left the journal in a state that cannot be written behind.
    case closed
  }

  public let code: Code
  /// A sentence: what is wrong and what to do.
  public let message: String
  /// The file or folder it is about; nil where none is meant.
  public internal(set) var path: String?
  /// The byte of the file at which it was found; nil where none is meant.
  public internal(set) var offset: Int?

  public init(_ code: Code, _ message: String, path: String? = nil, offset: Int? = nil) {
    self.code = code
    self.message = message
    self.path = path
    self.offset = offset
  }

  /// `path: byte 16: message`, as far as they are known.
  public var description: String {
    (path.map { "\($0): " } ?? "") + (offset.map { "byte \($0): " } ?? "") + message
  }

  /// The same, found at a byte of the file unless a nearer one is known.
  func at(_ place: Int) -> JournalError {
    var error = self
    error.offset = error.offset ?? place
    return error
  }

  /// The same, about a file unless one is known.
  func of(_ file: String?) -> JournalError {
    var error = self
    error.path = error.path ?? file
    return error
  }

  /// A refusal of the system's.
  /// - Parameters:
  ///   - number: `errno`.
  ///   - action: what was tried, as in "cannot create the folder".
  init(system number: Int32, _ action: String, path: String) {
    let reason = strerror(number).map { String(cString: $0) } ?? "error \(number)"
    switch number {
    case ENOSPC, EDQUOT, EFBIG:
      self.init(.noSpace, "\(action): \(reason); free space there, or name another folder with --state", path: path)
    case EROFS, EACCES, EPERM:
      self.init(
        .notWritable, "\(action): \(reason); make it accessible, or name another folder with --state", path: path)
    default:
      self.init(.io, "\(action): \(reason)", path: path)
    }
  }
}

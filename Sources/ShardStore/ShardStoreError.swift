import GGUF

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Why a piece of weights could not be read, stored or loaded: what is wrong, where, and what to do.
public struct ShardStoreError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure, for callers that react to it.
  public enum Code: Sendable, Hashable {
    /// The system refused to open, read or write.
    case io
    /// The disk, or the user's quota on it, is full.
    case noSpace
    /// The folder may not be written to.
    case notWritable
    /// The piece does not fit the store's budget beside the pieces in use.
    case overBudget
    /// A stored piece has another size than its name promises.
    case damagedPiece
    /// The model's files are not, or no longer, those whose headers were read.
    case modelChanged
    /// The model has no such piece.
    case unknownPiece
    /// A range reaches outside its piece.
    case badRange
    /// What a peer says about a piece contradicts the model's headers.
    case badEntry
    /// No source could give the piece with the right bytes.
    case unavailable
  }

  /// The kind of failure.
  public let code: Code
  /// A sentence: what is wrong and what to do.
  public let message: String
  /// The file or folder it is about; nil where none is meant.
  public let path: String?

  /// - Parameter path: the file or folder; an empty path counts as none.
  public init(_ code: Code, _ message: String, path: String? = nil) {
    self.code = code
    self.message = message
    self.path = path.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// `path: message`, as far as the path is known.
  public var description: String { path.map { "\($0): \(message)" } ?? message }

  /// A failure of reading a model's file.
  init(_ error: GGUFError) { self.init(.io, error.description) }

  /// A refusal of the system's.
  /// - Parameters:
  ///   - number: `errno`.
  ///   - action: what was tried, as in "cannot create the folder".
  init(system number: Int32, _ action: String, path: String) {
    let reason = strerror(number).map { String(cString: $0) } ?? "error \(number)"
    switch number {
    case ENOSPC, EDQUOT:
      self.init(
        .noSpace,
        "\(action): \(reason); free space there, such as with shoal shards prune, set a budget with --store-budget, or "
          + "name another folder with --store", path: path)
    case EROFS, EACCES, EPERM:
      self.init(
        .notWritable, "\(action): \(reason); make the folder writable or name another one with --store", path: path)
    default:
      self.init(.io, "\(action): \(reason)", path: path)
    }
  }
}

/// Why a GGUF file was refused, or could not be read or written: what is wrong, where, and what to do.
public struct GGUFError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure, for callers that react to it.
  public enum Code: Sendable, Hashable {
    /// The file does not begin like a GGUF file.
    case notGGUF
    /// A version, or a byte order, that is not read.
    case unsupportedVersion
    /// A length or count reaches past the end of the file.
    case truncated
    /// A length or count is above one of `GGUFLimits`.
    case limitExceeded
    /// A value that is never allowed, such as a bool of 2.
    case badValue
    /// A metadata key that is needed is not there.
    case missingKey
    /// A metadata value has another type than is needed.
    case wrongType
    /// A key or a tensor name occurs twice.
    case duplicateName
    /// A tensor's type, dimensions, offset or size is wrong.
    case badTensor
    /// The files of a split model do not belong together.
    case splitMismatch
    /// The system refused to open, read or write; or a file changed while it was in use.
    case io
  }

  /// The kind of failure.
  public let code: Code
  /// A sentence with the key or tensor it is about.
  public let message: String
  /// Path of the file; nil for headers that came over the wire, and where no file is meant.
  public let file: String?
  /// Byte in the file at which the failure was found.
  public let offset: Int?

  /// - Parameters:
  ///   - file: path of the file; an empty path counts as none.
  ///   - offset: byte in the file.
  public init(_ code: Code, _ message: String, file: String? = nil, offset: Int? = nil) {
    self.code = code
    self.message = message
    self.file = file.flatMap { $0.isEmpty ? nil : $0 }
    self.offset = offset
  }

  /// `path, byte 24: message`, as far as path and byte are known.
  public var description: String {
    var place = file ?? (offset == nil ? "" : "GGUF header")
    if let offset { place += ", byte \(offset)" }
    return place.isEmpty ? message : "\(place): \(message)"
  }
}

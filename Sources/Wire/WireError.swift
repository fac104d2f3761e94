/// What is wrong with bytes that came from a peer, and where.
///
/// Every decoder of this room throws it; nothing a peer sends can stop the process.
public struct WireError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Kind of defect, for those who decide what to do about it.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The bytes end before the value does.
    case truncated
    /// Bytes are left over after the last value.
    case trailingBytes
    /// The first four bytes are not those of this protocol.
    case badMagic
    /// The peer speaks another version of the protocol.
    case versionMismatch
    /// Header or payload do not match their checksum.
    case checksumMismatch
    /// No frame type has this number, or the type does not belong on this connection.
    case unknownType
    /// A length or a count is above its stated limit.
    case overLimit
    /// A value lies outside what it may be.
    case badValue
    /// Text is not UTF-8.
    case badText
  }

  public let code: Code
  /// What is wrong, in a sentence without a full stop.
  public let message: String
  /// Byte of the header or payload at which it was found.
  public let offset: Int

  public init(_ code: Code, _ message: String, offset: Int) {
    self.code = code
    self.message = message
    self.offset = offset
  }

  public var description: String { "\(message) (byte \(offset), \(code.rawValue))" }
}

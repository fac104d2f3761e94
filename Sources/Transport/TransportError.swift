import Wire

/// Why a connection could not be made or is gone, and what to do.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Kind of failure, for those who decide what to do about it.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// The address cannot be read or resolved, or nothing can listen there.
    case badAddress
    /// Nobody answers at the address.
    case unreachable
    /// The peer took too long.
    case timedOut
    /// The peer closed the connection, or it broke.
    case closed
    /// The peer sent what the protocol does not allow.
    case protocolViolation
    /// The peer speaks another version of the protocol.
    case versionMismatch
    /// The peer is another node, or serves another cluster, than was meant.
    case wrongPeer
    /// More is waiting to be sent than is allowed.
    case backlog
    /// No such link or peer.
    case notConnected
    /// The peer refused what was asked of it.
    case refused
    /// The system failed.
    case system
  }

  public let code: Code
  /// What happened, to whom, and what to do, in a sentence without a full stop.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// What a peer sent cannot be read.
  init(_ error: WireError, from peer: String) {
    self.init(error.code == .versionMismatch ? .versionMismatch : .protocolViolation, "\(peer): \(error)")
  }

  public var description: String { message }
}

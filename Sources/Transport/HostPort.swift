/// Where something listens: a host name or address, and a port. Port 0 asks the system for any free port.
public struct HostPort: Sendable, Hashable, CustomStringConvertible {
  /// A name, an IPv4 address or an IPv6 address without brackets.
  public let host: String
  public let port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `host:port`, `127.0.0.1:7070` or `[::1]:7071`.
  public init(parsing text: String) throws(TransportError) {
    guard let parsed = Self.split(text), let port = UInt16(parsed.port), !parsed.port.hasPrefix("+") else {
      throw TransportError(
        .badAddress, "\"\(text)\" is no address: write HOST:PORT, such as 127.0.0.1:7070 or [::1]:7070")
    }
    self.init(host: parsed.host, port: port)
  }

  /// As it is read: IPv6 addresses in brackets.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  private static func split(_ text: String) -> (host: String, port: String)? {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    let port = String(text[text.index(after: colon)...])
    if host.hasPrefix("[") {
      guard host.hasSuffix("]") else { return nil }
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
    return (String(host), port)
  }
}

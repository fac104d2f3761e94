/// Where the worker of a node is found.
public enum NodeAddress: Sendable, Hashable, CustomStringConvertible {
  /// The coordinator starts it itself, as a child process.
  case local
  /// `host:port` of a worker that somebody started; an IPv6 address stands in brackets.
  case remote(String)

  /// As it stands in a topology.
  public var description: String {
    switch self {
    case .local: "local"
    case .remote(let hostPort): hostPort
    }
  }

  /// The host and port of `host:port` or `[v6]:port`, or of a host alone; nil when it is neither.
  ///
  /// Only the form is checked: letters, digits, `.`, `-`, `_` for a host, hexadecimal digits, `:`, `.` and a zone in
  /// brackets, a port of 1 to 65535.
  static func split(_ text: String) -> (host: String, port: Int?)? {
    guard text.utf8.count <= 300 else { return nil }
    let host: Substring
    let rest: Substring
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<end]
      rest = text[text.index(after: end)...]
      guard host.contains(":"),
        host.utf8.allSatisfy({ isHostByte($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") })
      else { return nil }
    } else {
      let end = text.firstIndex(of: ":") ?? text.endIndex
      host = text[..<end]
      rest = text[end...]
      guard !host.isEmpty, host.utf8.allSatisfy(isHostByte) else { return nil }
    }
    if rest.isEmpty { return (String(host), nil) }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), 1...5 ~= digits.utf8.count, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
      let port = Int(digits), 1...65_535 ~= port
    else { return nil }
    return (String(host), port)
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

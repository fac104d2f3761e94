public import Tensors

/// One entry of a topology's `nodes`.
public struct TopologyNode: Sendable, Hashable {
  /// Most bytes of a name.
  public static let nameLengthMax = 64

  /// 1 to 64 of the characters A-Z, a-z, 0-9, `.`, `_` and `-`.
  public let name: Located<NodeID>
  /// Where its worker is found.
  public let address: NodeAddress
  /// Compute threads; nil means the default, see `Topology.threadCount(of:cores:)`.
  public let threads: Located<Int>?
  /// Most bytes the node may hold: weights, KV cache and scratch; nil means no limit.
  public let memoryBytes: Located<Int>?
  /// `host` or `host:port` under which other nodes reach this one, when that is not where the coordinator finds it;
  /// without a port, the port it listens on.
  public let advertise: String?

  /// `advertise` as `host:port`, with the port the node listens on where it states none; nil without `advertise`.
  public func advertised(listeningOn port: Int) -> String? {
    guard let advertise, let parts = NodeAddress.split(advertise) else { return nil }
    let host = parts.host.contains(":") ? "[\(parts.host)]" : parts.host
    return "\(host):\(parts.port ?? port)"
  }

  /// Whether `text` may be the name of a node.
  public static func isName(_ text: String) -> Bool {
    guard 1...nameLengthMax ~= text.utf8.count else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
  }
}

import ModelSpec
import Tensors

/// A change of placement as `shoal topology diff --json` prints it.
public struct PlacementChangeReport: Codable, Sendable, Hashable {
  /// What changes for one node.
  public struct Node: Codable, Sendable, Hashable {
    /// Its name.
    public let name: String
    /// Pieces it takes, together by where they can come from.
    public let gains: [Gain]
    /// Pieces it gives up, in words; empty for none.
    public let givesUp: String
    /// Bytes it takes; at most these move to it.
    public let gainedBytes: Int
    /// Bytes it gives up.
    public let givenUpBytes: Int
  }

  /// Pieces that a node takes from the same place.
  public struct Gain: Codable, Sendable, Hashable {
    /// In words.
    public let pieces: String
    /// Their bytes together.
    public let bytes: Int
    /// Nodes that hold them before the change; none means the coordinator.
    public let from: [String]
  }

  /// Neighbouring layers that change their host.
  public struct Host: Codable, Sendable, Hashable {
    /// `"3-5"`
    public let layers: String
    /// Absent when there was no placement.
    public let from: String?
    /// Their host afterwards.
    public let to: String
  }

  /// Experts of neighbouring layers that change their holders.
  public struct Experts: Codable, Sendable, Hashable {
    /// `"3-5"`
    public let layers: String
    /// In each of the layers.
    public let experts: ExpertSet
    /// Nodes that give them up.
    public let from: [String]
    /// Nodes that take them.
    public let to: [String]
  }

  /// Whether nothing changes.
  public let isEmpty: Bool
  /// Bytes of all pieces that are taken; at most these move.
  public let bytesMax: Int
  /// Nodes that come in.
  public let added: [String]
  /// Nodes that go.
  public let removed: [String]
  /// Nodes that take or give up something.
  public let nodes: [Node]
  /// In layer order.
  public let hosts: [Host]
  /// In the order of layers, then of experts.
  public let experts: [Experts]
  /// The changes of the waves that lead there, when there are several.
  public let waves: [PlacementChangeReport]

  /// - Parameter waves: the changes of the waves that lead there, in order.
  public init(_ change: PlacementChange, waves: [PlacementChange] = []) {
    isEmpty = change.isEmpty
    bytesMax = change.gainedBytes
    added = change.added.map(\.rawValue)
    removed = change.removed.map(\.rawValue)
    nodes = change.nodes.map { node in
      Node(
        name: node.name.rawValue,
        gains: PlacementChange.groups(of: node).map { group in
          Gain(pieces: PieceListText.describe(group.pieces), bytes: group.bytes, from: Self.names(group.origin))
        },
        givesUp: PieceListText.describe(node.givenUp), gainedBytes: node.gainedBytes,
        givenUpBytes: node.givenUpBytes)
    }
    hosts = change.hostMoves.map {
      Host(layers: $0.layers.text, from: $0.from?.rawValue, to: $0.to.rawValue)
    }
    experts = change.expertMoves.map {
      Experts(
        layers: $0.layers.text, experts: $0.experts, from: $0.from.map(\.rawValue), to: $0.to.map(\.rawValue))
    }
    self.waves = waves.count > 1 ? waves.map { PlacementChangeReport($0) } : []
  }

  private static func names(_ origin: PlacementChange.PieceOrigin) -> [String] {
    switch origin {
    case .nodes(let names): names.map(\.rawValue)
    case .coordinator: []
    }
  }
}

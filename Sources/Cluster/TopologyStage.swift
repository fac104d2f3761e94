public import Tensors

/// One entry of a topology's `stages`.
public struct TopologyStage: Sendable, Hashable {
  /// Where the stage's opening brace stands.
  public let position: SourcePosition
  /// Layers of the stage.
  public let layers: Located<Range<LayerIndex>>
  /// The node with the trunk of these layers and their KV cache.
  public let host: Located<NodeID>
  /// Who holds which routed experts, in file order; nil means all are on the host.
  public let experts: Located<[TopologyShare]>?
}

/// The experts of one stage that one node is to hold.
public struct TopologyShare: Sendable, Hashable {
  /// The node that is to hold them.
  public let node: Located<NodeID>
  /// In every layer of the stage that has them.
  public let experts: Located<ExpertSet>
}

extension Range where Bound == LayerIndex {
  /// `"3"` or `"0-2"`, as a topology writes it; empty for no layers.
  public var text: String {
    isEmpty ? "" : count == 1 ? "\(lowerBound)" : "\(lowerBound)-\(upperBound.rawValue - 1)"
  }
}

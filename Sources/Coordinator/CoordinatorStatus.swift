public import Tensors
public import Wire

/// How a coordinator gets on, for whoever watches it start and run.
public enum CoordinatorStatus: Sendable, Hashable {
  /// A connection to the node is being made.
  case reaching(NodeID, address: String)
  /// The node has greeted back.
  case joined(NodeID, NodeCapabilities)
  /// The node is getting its weights.
  case progress(NodeID, Progress)
  /// The node has its weights; so many bytes came over the network.
  case prepared(NodeID, bytesMoved: Int)
  /// Jobs run from now on.
  case ready(nodes: Int, stages: Int)
  /// The cluster is down; jobs fail from now on.
  case failed(CoordinatorError)
  /// Something an operator may want to know.
  case note(String)
}

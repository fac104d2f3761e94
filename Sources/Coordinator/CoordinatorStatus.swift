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
  /// The node is gone; it is tried again.
  case lost(NodeID, reason: String)
  /// The node is not wished for any more and was let go.
  case dismissed(NodeID)
  /// Another placement is in force; for so long no step was started.
  case switched(PlacementEpoch, pause: Duration, bytesMoved: Int, keepsKeyValues: Bool)
  /// What is wished for cannot run yet, and why.
  case waiting(String)
  /// An edit of the topology was taken.
  case edited
  /// An edit of the topology is wrong.
  case refused(String)
  /// The cluster is down; jobs fail from now on.
  case failed(CoordinatorError)
  /// Something an operator may want to know.
  case note(String)
}

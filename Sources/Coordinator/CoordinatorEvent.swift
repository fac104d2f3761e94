import Cluster
import JobStore
import Tensors
import Transport
import Wire

/// What reaches the core of the coordinator.
enum CoordinatorEvent: Sendable {
  case control(ControlEvent)
  /// A worker of this machine listens there.
  case nodeListens(NodeID, HostPort)
  /// A worker of this machine did not start, or ended.
  case nodeEnded(NodeID, CoordinatorError)
  case submit(JobID, JobRequest)
  case cancel(JobID)
  case stop
  /// What this process has sent, as `readCounters` asked.
  case ownCounters(TrafficCounters)
  /// The topology file was saved.
  case edited(TopologyEdit)
  /// What was written down under that number is on disk, or cannot be.
  case journaled(UInt64, JournalError?)
  /// Time has passed.
  case tick
}

/// A saved topology file, read and held against the model.
public enum TopologyEdit: Sendable {
  case accepted(DesiredCluster)
  /// What is wrong, with its line.
  case refused(String)
}

/// What the core wants done.
enum CoordinatorDirective: Sendable {
  /// Connect to a node; the link is reported back with `dialed`.
  case dial(NodeID, HostPort)
  case send(ControlMessage, PlacementEpoch, LinkID)
  case close(LinkID)
  /// Offer the model's pieces to the worker that listens there.
  case serveWeights(NodeID, HostPort)
  case stopServingWeights(NodeID)
  /// Start a worker on this machine, or end it.
  case startWorker(NodeID, [String])
  case stopWorker(NodeID)
  case deliver(JobEvent, JobID)
  case report(CoordinatorStatus)
  /// Answer with `ownCounters`.
  case readCounters
  /// Write these down, and answer with `journaled` and the number.
  case journal([JournalEntry], UInt64)
  /// Keep the topology that was accepted last.
  case keepTopology([UInt8])
}

import Cluster
import Tensors
import Transport
import Wire

/// What reaches the core of the coordinator.
enum CoordinatorEvent: Sendable {
  case control(ControlEvent)
  /// A worker of this machine listens there.
  case nodeListens(NodeIndex, HostPort)
  /// A worker of this machine did not start, or ended.
  case nodeEnded(NodeIndex, CoordinatorError)
  case submit(JobID, JobRequest)
  case cancel(JobID)
  case stop
  /// What this process has sent, as `readCounters` asked.
  case ownCounters(TrafficCounters)
  /// Time has passed.
  case tick
}

/// What the core wants done.
enum CoordinatorDirective: Sendable {
  /// Connect to a node; the link is reported back with `dialed`.
  case dial(NodeIndex, HostPort)
  case send(ControlMessage, LinkID)
  case close(LinkID)
  /// Offer the model's pieces to the worker that listens there.
  case serveWeights(NodeIndex, HostPort)
  case stopServingWeights(NodeIndex)
  case deliver(JobEvent, JobID)
  case report(CoordinatorStatus)
  /// Answer with `ownCounters`.
  case readCounters
}

import Cluster
import Tensors
import Transport
import Wire

/// What the coordinator says of itself.
extension CoordinatorCore {
  func topologyStatus(_ request: UInt64) -> TopologyStatus {
    // What lacks experts or a host does not run, although weights and epoch are still those of it.
    let placement = running.flatMap { $0.isBroken ? nil : $0.effective }
    let isAsWished =
      transition == nil && running?.isStale == false
      && placement?.hasSameShape(as: desired.placement, facts: configuration.model.facts) == true
    let state: TopologyStateCode = refusal != nil ? .refused : isAsWished ? .running : .preparing
    let message = refusal ?? (isAsWished ? "" : waitingFor ?? "the cluster is being brought up")
    return TopologyStatus(
      request: request, epoch: placement?.epoch ?? PlacementEpoch(rawValue: 0), state: state, message: message,
      placement: placement, nodes: nodeReports())
  }

  func nodeReports() -> [NodeReport] {
    nodes.keys.sorted().compactMap { id in
      guard let node = nodes[id] else { return nil }
      return NodeReport(
        node: id, address: node.address.map { "\($0)" } ?? "", isConnected: node.isJoined,
        reason: node.lastFailure ?? "", memoryBytes: node.memoryLimit ?? 0)
    }
  }

  /// Asks the hosts how often experts were chosen; the client is answered when all have said so, or after a while.
  mutating func askForLoad(_ request: UInt64, _ link: LinkID, now: ContinuousClock.Instant) {
    let hosts = Set(running?.placement.stages.compactMap { running?.placement.nodes[$0.host.rawValue] } ?? [])
      .filter { nodes[$0]?.isJoined == true }
    load.ask(hosts, for: request, of: link, deadline: now + configuration.timeouts.counters)
    for host in hosts.sorted() { send(.useRequest, to: host) }
    answerLoad(now: now)
  }

  mutating func usedExperts(_ report: ExpertUseReport, from node: NodeID, now: ContinuousClock.Instant) {
    load.take(report, from: node, known: Set(nodes.keys))
    answerLoad(now: now)
  }

  /// Answers the questions for which all has come.
  mutating func answerLoad(now: ContinuousClock.Instant) {
    for question in load.answerable(now: now) {
      let layers = load.layers(configuration.model.facts)
      let speeds = load.rowNanoseconds.sorted { $0.key < $1.key }.map {
        ExpertUseReport.Speed(node: $0.key, rowNanoseconds: $0.value)
      }
      send(
        .loadReport(LoadReport(request: question.request, layers: layers, speeds: speeds, nodes: nodeReports())),
        on: question.link)
    }
  }
}

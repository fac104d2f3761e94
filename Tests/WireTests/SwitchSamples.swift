import Cluster
import Tensors
import Wire

/// One message of every type that is about changes of placement, durable jobs or questions of clients.
enum SwitchSamples {
  private static let epoch = PlacementEpoch(rawValue: 7)

  static let nodes = [
    NodeReport(node: "reef", address: "127.0.0.1:7070", isConnected: true, reason: "", memoryBytes: 1 << 34),
    NodeReport(node: "söund", address: "", isConnected: false, reason: "no answer", memoryBytes: 0),
  ]

  static let speeds = [ExpertUseReport.Speed(node: "cove", rowNanoseconds: 1500)]

  /// Of each type one, or more.
  static let control: [(name: String, message: ControlMessage)] = [
    (
      "peerUnreachable",
      .peerUnreachable(PeerUnreachable(epoch: epoch, node: 2, sentence: "no route to sound"))
    ),
    ("nodeLost", .nodeLost(NodeLost(epoch: epoch, node: 2))),
    ("release", .release(EpochNotice(epoch: PlacementEpoch(rawValue: 9)))),
    ("moveKeyValues", .moveKeyValues(EpochNotice(epoch: epoch))),
    ("useRequest", .useRequest),
    (
      "expertUse",
      .expertUse(
        ExpertUseReport(
          layers: [
            ExpertUseReport.Layer(layer: 3, counts: [0, 5, 1 << 40]), ExpertUseReport.Layer(layer: 4, counts: []),
          ],
          speeds: speeds))
    ),
    ("jobsRequest", .jobsRequest(JobsRequest(request: 21))),
    (
      "jobList",
      .jobList(
        JobList(
          request: 21,
          jobs: [
            JobDescription(job: 1, state: .failed, tokens: 12, created: 1_700_000_000_123, reason: "another model"),
            JobDescription(job: 2, state: .running, tokens: 0, created: 1_700_000_000_456, reason: ""),
          ]))
    ),
    ("attach", .attach(Attach(request: 22, job: 2, tokenCount: 5))),
    ("cancelJob", .cancelJob(CancelJob(request: 23, job: 2))),
    ("topologyRequest", .topologyRequest(JobsRequest(request: 24))),
    (
      "topologyStatus",
      .topologyStatus(
        TopologyStatus(
          request: 24, epoch: epoch, state: .preparing, message: "sound is missing", placement: Samples.placement,
          nodes: nodes))
    ),
    (
      "topologyStatus-nothing",
      .topologyStatus(
        TopologyStatus(
          request: 25, epoch: PlacementEpoch(rawValue: 0), state: .refused, message: "line 3", placement: nil,
          nodes: []))
    ),
    ("loadRequest", .loadRequest(JobsRequest(request: 26))),
    (
      "loadReport",
      .loadReport(
        LoadReport(
          request: 26,
          layers: [LoadReport.Layer(layer: 0, weights: [0.25, 0.75]), LoadReport.Layer(layer: 5, weights: [])],
          speeds: speeds, nodes: nodes))
    ),
  ]
}

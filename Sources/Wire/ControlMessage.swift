import Scheduling
public import Tensors

/// Everything that travels on a control connection.
public enum ControlMessage: Sendable, Hashable {
  case hello(Hello)
  case welcome(Welcome)
  case refuse(Refuse)
  case prepare(Prepare)
  case progress(Progress)
  case prepared(Prepared)
  case prepareFailed(PrepareFailed)
  case activate(Activate)
  case activated(Activated)
  case step(StepStart)
  case stepResult(StepOutcome)
  case stepFailed(StepFailed)
  case peerLost(PeerLost)
  case countersRequest
  case counters(NodeCounters)
  case ping(Heartbeat)
  case pong(Heartbeat)
  case shutdown
  case peerUnreachable(PeerUnreachable)
  case nodeLost(NodeLost)
  case release(EpochNotice)
  case moveKeyValues(EpochNotice)
  case useRequest
  case expertUse(ExpertUseReport)
  case submit(Submit)
  case submitted(Submitted)
  case tokens(GeneratedTokens)
  case finished(JobFinished)
  case jobFailed(JobFailed)
  case cancel(Cancel)
  case logits(PromptLogits)
  case jobsRequest(JobsRequest)
  case jobList(JobList)
  case attach(Attach)
  case cancelJob(CancelJob)
  case topologyRequest(JobsRequest)
  case topologyStatus(TopologyStatus)
  case loadRequest(JobsRequest)
  case loadReport(LoadReport)

  /// Number of the message's type.
  public var type: FrameType { parts.type }

  /// Step, job or request the message belongs to; 0 when none.
  public var stream: UInt64 {
    switch self {
    case .step(let message): message.batch.id.rawValue
    case .stepResult(let message): message.step.rawValue
    case .stepFailed(let message): message.step.rawValue
    case .submit(let message): message.request
    case .submitted(let message): message.job
    case .tokens(let message): message.job
    case .finished(let message): message.job
    case .jobFailed(let message): message.job
    case .cancel(let message): message.job
    case .logits(let message): message.job
    case .jobsRequest(let message), .topologyRequest(let message), .loadRequest(let message): message.request
    case .jobList(let message): message.request
    case .attach(let message): message.request
    case .cancelJob(let message): message.request
    case .topologyStatus(let message): message.request
    case .loadReport(let message): message.request
    default: 0
    }
  }

  /// Type, and payload where there is one.
  private var parts: (type: FrameType, payload: (any WireMessage)?) {
    switch self {
    case .hello(let message): (.hello, message)
    case .welcome(let message): (.welcome, message)
    case .refuse(let message): (.refuse, message)
    case .prepare(let message): (.prepare, message)
    case .progress(let message): (.progress, message)
    case .prepared(let message): (.prepared, message)
    case .prepareFailed(let message): (.prepareFailed, message)
    case .activate(let message): (.activate, message)
    case .activated(let message): (.activated, message)
    case .step(let message): (.step, message)
    case .stepResult(let message): (.stepResult, message)
    case .stepFailed(let message): (.stepFailed, message)
    case .peerLost(let message): (.peerLost, message)
    case .countersRequest: (.countersRequest, nil)
    case .counters(let message): (.counters, message)
    case .ping(let message): (.ping, message)
    case .pong(let message): (.pong, message)
    case .shutdown: (.shutdown, nil)
    case .submit(let message): (.submit, message)
    case .submitted(let message): (.submitted, message)
    case .tokens(let message): (.tokens, message)
    case .finished(let message): (.finished, message)
    case .jobFailed(let message): (.jobFailed, message)
    case .cancel(let message): (.cancel, message)
    case .logits(let message): (.logits, message)
    default: laterParts
    }
  }

  /// Likewise, for changes of placement, durable jobs and questions about both.
  private var laterParts: (type: FrameType, payload: (any WireMessage)?) {
    switch self {
    case .peerUnreachable(let message): (.peerUnreachable, message)
    case .nodeLost(let message): (.nodeLost, message)
    case .release(let message): (.release, message)
    case .moveKeyValues(let message): (.moveKeyValues, message)
    case .expertUse(let message): (.expertUse, message)
    case .jobsRequest(let message): (.jobsRequest, message)
    case .jobList(let message): (.jobList, message)
    case .attach(let message): (.attach, message)
    case .cancelJob(let message): (.cancelJob, message)
    case .topologyRequest(let message): (.topologyRequest, message)
    case .topologyStatus(let message): (.topologyStatus, message)
    case .loadRequest(let message): (.loadRequest, message)
    case .loadReport(let message): (.loadReport, message)
    default: (.useRequest, nil)
    }
  }

  /// The whole frame, header and payload.
  /// - Throws: `overLimit` when the message is longer than its type allows.
  public func frame(epoch: PlacementEpoch, term: CoordinatorTerm) throws(WireError) -> [UInt8] {
    let (type, payload) = parts
    var writer = WireWriter(headerBytes: FrameHeader.byteCount)
    payload?.write(to: &writer)
    var bytes = writer.take()
    let payloadBytes = bytes.count - FrameHeader.byteCount
    guard payloadBytes <= type.payloadLimit else {
      throw WireError(
        .overLimit, "a \(type) message takes \(payloadBytes) bytes, at most \(type.payloadLimit) are allowed",
        offset: 24)
    }
    let stream = stream
    bytes.withUnsafeMutableBytes { bytes in
      let header = FrameHeader(
        type: type, epoch: epoch, term: term, stream: stream,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...]))
      header.write(to: bytes)
    }
    return bytes
  }

  /// Reads the payload of a frame of this type.
  /// - Throws: `WireError` with the offset in the payload; `unknownType` when the type is not one of the control plane.
  public init(type: FrameType, payload: UnsafeRawBufferPointer) throws(WireError) {
    switch type {
    case .hello: self = .hello(try Hello(payload: payload))
    case .welcome: self = .welcome(try Welcome(payload: payload))
    case .refuse: self = .refuse(try Refuse(payload: payload))
    case .prepare: self = .prepare(try Prepare(payload: payload))
    case .progress: self = .progress(try Progress(payload: payload))
    case .prepared: self = .prepared(try Prepared(payload: payload))
    case .prepareFailed: self = .prepareFailed(try PrepareFailed(payload: payload))
    case .activate: self = .activate(try Activate(payload: payload))
    case .activated: self = .activated(try Activated(payload: payload))
    case .step: self = .step(try StepStart(payload: payload))
    case .stepResult: self = .stepResult(try StepOutcome(payload: payload))
    case .stepFailed: self = .stepFailed(try StepFailed(payload: payload))
    case .peerLost: self = .peerLost(try PeerLost(payload: payload))
    case .countersRequest: self = try Self.empty(.countersRequest, payload)
    case .counters: self = .counters(try NodeCounters(payload: payload))
    case .ping: self = .ping(try Heartbeat(payload: payload))
    case .pong: self = .pong(try Heartbeat(payload: payload))
    case .shutdown: self = try Self.empty(.shutdown, payload)
    case .submit: self = .submit(try Submit(payload: payload))
    case .submitted: self = .submitted(try Submitted(payload: payload))
    case .tokens: self = .tokens(try GeneratedTokens(payload: payload))
    case .finished: self = .finished(try JobFinished(payload: payload))
    case .jobFailed: self = .jobFailed(try JobFailed(payload: payload))
    case .cancel: self = .cancel(try Cancel(payload: payload))
    case .logits: self = .logits(try PromptLogits(payload: payload))
    default: self = try Self.later(type, payload)
    }
  }

  /// Likewise, for changes of placement, durable jobs and questions about both.
  private static func later(
    _ type: FrameType, _ payload: UnsafeRawBufferPointer
  ) throws(WireError) -> ControlMessage {
    switch type {
    case .peerUnreachable: .peerUnreachable(try PeerUnreachable(payload: payload))
    case .nodeLost: .nodeLost(try NodeLost(payload: payload))
    case .release: .release(try EpochNotice(payload: payload))
    case .moveKeyValues: .moveKeyValues(try EpochNotice(payload: payload))
    case .useRequest: try Self.empty(.useRequest, payload)
    case .expertUse: .expertUse(try ExpertUseReport(payload: payload))
    case .jobsRequest: .jobsRequest(try JobsRequest(payload: payload))
    case .jobList: .jobList(try JobList(payload: payload))
    case .attach: .attach(try Attach(payload: payload))
    case .cancelJob: .cancelJob(try CancelJob(payload: payload))
    case .topologyRequest: .topologyRequest(try JobsRequest(payload: payload))
    case .topologyStatus: .topologyStatus(try TopologyStatus(payload: payload))
    case .loadRequest: .loadRequest(try JobsRequest(payload: payload))
    case .loadReport: .loadReport(try LoadReport(payload: payload))
    default:
      throw WireError(.unknownType, "\(type) is not a message of the control plane", offset: 6)
    }
  }

  private static func empty(
    _ message: ControlMessage, _ payload: UnsafeRawBufferPointer
  ) throws(WireError) -> ControlMessage {
    guard payload.isEmpty else {
      throw WireError(.trailingBytes, "\(message) has no payload", offset: 0)
    }
    return message
  }
}

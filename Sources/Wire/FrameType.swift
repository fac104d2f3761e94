/// Number of a frame type, as it stands in the header.
public enum FrameType: UInt8, Sendable, Hashable, CaseIterable {
  // Control plane, coordinator and worker.
  case hello = 1
  case welcome = 2
  case refuse = 3
  case prepare = 4
  case progress = 5
  case prepared = 6
  case prepareFailed = 7
  case activate = 8
  case activated = 9
  case step = 10
  case stepResult = 11
  case stepFailed = 12
  case peerLost = 13
  case countersRequest = 14
  case counters = 15
  case ping = 16
  case pong = 17
  case shutdown = 18
  case peerUnreachable = 19
  case nodeLost = 20
  case release = 21
  case useRequest = 22
  case expertUse = 23
  case moveKeyValues = 24
  // Control plane, client and coordinator.
  case submit = 32
  case submitted = 33
  case tokens = 34
  case finished = 35
  case jobFailed = 36
  case cancel = 37
  case logits = 38
  case jobsRequest = 39
  case jobList = 40
  case attach = 41
  case cancelJob = 42
  case topologyRequest = 43
  case topologyStatus = 44
  case loadRequest = 45
  case loadReport = 46
  // Data plane, worker and worker.
  case dispatch = 64
  case combine = 65
  case handOver = 66
  case exchangeFailed = 67
  case peerHello = 68
  case keyValues = 69
  case keyValuesEnd = 70
  // Weights, worker and coordinator.
  case pieceRequest = 96
  case pieceData = 97
  case pieceRefused = 98
  // Weights, worker and worker.
  case storedPieceRequest = 112

  /// The plane that this type was made for.
  public var plane: ConnectionPlane {
    switch rawValue {
    case ..<64: .control
    case ..<96: .data
    case ..<112: .weights
    default: .pieces
    }
  }

  /// Whether connections of a plane carry this type; those between workers that ask for pieces borrow some.
  public func belongs(on plane: ConnectionPlane) -> Bool {
    if self.plane == plane { return true }
    switch self {
    case .peerHello, .pieceData, .pieceRefused: return plane == .pieces
    default: return false
    }
  }

  /// Most bytes of a payload of this type.
  public var payloadLimit: Int {
    switch self {
    case .ping, .pong, .shutdown, .countersRequest, .activate, .activated, .cancel, .keyValuesEnd,
      .nodeLost, .release, .moveKeyValues, .useRequest, .jobsRequest, .attach, .cancelJob, .topologyRequest,
      .loadRequest:
      64
    case .progress, .prepared, .counters, .pieceRequest, .storedPieceRequest: 256
    case .hello, .welcome, .refuse, .prepareFailed, .stepFailed, .peerLost, .peerUnreachable, .jobFailed,
      .exchangeFailed, .peerHello, .pieceRefused:
      512 << 10
    case .pieceData: WireLimits.pieceChunkBytes + 64
    case .step, .submit, .submitted, .tokens, .finished, .jobList, .topologyStatus, .expertUse, .loadReport: 16 << 20
    case .prepare, .stepResult, .logits: 64 << 20
    case .keyValues: KeyValuesWriter.headBytes + WireLimits.keyValueSlabBytes
    case .dispatch, .combine, .handOver: 128 << 20
    }
  }
}

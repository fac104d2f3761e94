import Cluster
import ModelSpec
import Scheduling
import Tensors
import Wire

/// One message of every type, with every field set to something of its own.
enum Samples {
  static let digest = digest(of: (0..<32).map { UInt8($0) })
  static let otherDigest = digest(of: [UInt8](repeating: 0xAB, count: 32))
  static let cluster = ClusterID(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)

  static let sampling: SamplingParameters = {
    var sampling = SamplingParameters()
    sampling.temperature = 0.5
    sampling.topK = 40
    sampling.topP = 0.75
    sampling.minP = 0.0625
    sampling.repeatPenalty = 1.25
    sampling.frequencyPenalty = 0.125
    sampling.presencePenalty = -0.5
    sampling.penaltyWindow = 32
    sampling.seed = 0x1234_5678_9ABC_DEF0
    return sampling
  }()

  static let placement = Placement(
    epoch: PlacementEpoch(rawValue: 7), nodes: ["cove", "reef", "sound"],
    stages: [
      StagePlacement(
        layers: 0..<3, host: 1,
        experts: [
          ExpertHolding(node: 1, experts: ExpertSet(ranges: [0..<4, 9..<10])),
          ExpertHolding(node: 0, experts: ExpertSet(ranges: [4..<9, 10..<16])),
        ]),
      StagePlacement(layers: 3..<6, host: 0, experts: [ExpertHolding(node: 2, experts: ExpertSet(all: 16))]),
    ])

  static let entries = [
    StepEntry(
      sequence: SequenceID(rawValue: 11), position: 5, rowCount: 3, tokens: [1, 2, 300], wanted: .token,
      opening: SequenceOpening(sampling: sampling, history: [9, 8, 7], endTokens: [7, 2])),
    StepEntry(
      sequence: SequenceID(rawValue: 12), position: 0, rowCount: 2, tokens: [4, 5], wanted: .logits(rows: 2)),
    StepEntry(sequence: SequenceID(rawValue: 13), position: 64, rowCount: 1, tokens: [6], wanted: .nothing),
  ]

  static let prepare = Prepare(
    model: digest, headerDigest: otherDigest, headerByteCount: 1_234_567, kvType: .f32, combine: .compact,
    context: 1024, sequences: 8, subBatchRows: 128, node: 1, placement: placement,
    addresses: ["127.0.0.1:7070", "", "[::1]:7071"],
    pieces: [
      PieceDescription(piece: .embedding, byteCount: 100, digest: digest),
      PieceDescription(piece: .trunk(4), byteCount: 1 << 33, digest: otherDigest, holder: 2),
      PieceDescription(piece: .expert(2, 15), byteCount: 3, digest: digest, holder: 0),
      PieceDescription(piece: .output, byteCount: 0, digest: digest),
    ],
    moves: [
      KeyValueMove(layers: 0..<3, source: 0, target: 1), KeyValueMove(layers: 4..<5, source: 1, target: 2),
    ])

  static let nodeCounters: NodeCounters = {
    var counters = NodeCounters()
    counters.traffic = Self.counters
    for part in WorkPart.allCases { counters.decode.times[part] = UInt64(part.rawValue) + 10 }
    counters.decode.sentBytes = 16
    counters.decode.roundTrips = 17
    counters.prefill.times[.waiting] = 1 << 50
    counters.prefill.roundTrips = 18
    counters.peakMemoryBytes = 19
    return counters
  }()

  static let counters: TrafficCounters = {
    var counters = TrafficCounters()
    counters.dataBytes = 1
    counters.dataFrames = 2
    counters.controlBytes = 3
    counters.controlFrames = 4
    counters.weightBytes = 5
    counters.weightFrames = 6
    counters.roundTrips = 1 << 40
    return counters
  }()

  static let results = [
    StepResult(sequence: SequenceID(rawValue: 11), position: 8, outcome: .token(77, logProbability: -0.25)),
    StepResult(sequence: SequenceID(rawValue: 12), position: 1, outcome: .logits(rows: 2, values: [1, -2, 0.5, 4])),
    StepResult(sequence: SequenceID(rawValue: 13), position: 64, outcome: .none),
  ]

  static let finished = JobFinished(
    job: 9, stopReason: .maxTokens, stageCount: 2,
    timing: JobTiming(
      promptTokens: 12, completionTokens: 34, queued: .milliseconds(5), prefill: .microseconds(70),
      decode: .seconds(2)),
    traffic: [NodeTraffic(node: "reef", counters: counters)])

  /// At least one of each control type.
  static let control: [(name: String, message: ControlMessage)] = clusterControl + SwitchSamples.control

  private static let clusterControl: [(name: String, message: ControlMessage)] = [
    (
      "hello",
      .hello(
        Hello(
          role: .coordinator, numericsVersion: 3, cluster: cluster, term: CoordinatorTerm(rawValue: 2), node: "reef",
          software: "0.1"))
    ),
    (
      "welcome",
      .welcome(
        Welcome(
          numericsVersion: 3, node: "reef",
          capabilities: NodeCapabilities(
            instructionSet: "avx2", cores: 2, memoryBytes: 1 << 34, readBandwidth: 20_000_000_000, software: "0.1"),
          model: digest))
    ),
    ("refuse", .refuse(Refuse(code: 4, sentence: "reef serves cluster 1; stop that first"))),
    ("prepare", .prepare(prepare)),
    (
      "progress",
      .progress(
        Progress(
          epoch: PlacementEpoch(rawValue: 7), piecesDone: 1, piecesTotal: 2, bytesDone: 3, bytesTotal: 4,
          bytesMoved: 5))
    ),
    ("prepared", .prepared(Prepared(epoch: PlacementEpoch(rawValue: 7), bytesMoved: 1 << 35))),
    ("prepareFailed", .prepareFailed(PrepareFailed(epoch: PlacementEpoch(rawValue: 7), sentence: "größer als 1 GB"))),
    ("activate", .activate(Activate(epoch: PlacementEpoch(rawValue: 7), movesKeyValues: true))),
    ("activated", .activated(Activated(epoch: PlacementEpoch(rawValue: 8), hasKeyValues: true))),
    (
      "step",
      .step(
        StepStart(
          batch: StepBatch(
            id: StepID(rawValue: 99), phase: .prefill, entries: entries, released: [SequenceID(rawValue: 10)])))
    ),
    (
      "stepAhead",
      .step(
        StepStart(
          batch: StepBatch(
            id: StepID(rawValue: 100), phase: .decode,
            entries: [(11, 8), (13, 65)].map { sequence, position in
              StepEntry(
                sequence: SequenceID(rawValue: sequence), position: position, rowCount: 1, tokens: [], wanted: .token)
            }, follows: StepID(rawValue: 99))))
    ),
    ("stepResult", .stepResult(StepOutcome(step: StepID(rawValue: 99), results: results))),
    (
      "stepFailed",
      .stepFailed(
        StepFailed(step: StepID(rawValue: 99), node: "cove", isInterrupted: true, sentence: "another placement"))
    ),
    ("peerLost", .peerLost(PeerLost(node: 2, sentence: "sound closed the data connection"))),
    ("countersRequest", .countersRequest),
    ("counters", .counters(nodeCounters)),
    ("ping", .ping(Heartbeat(nonce: 5, progress: 6))),
    ("pong", .pong(Heartbeat(nonce: 5, progress: 7, isWorking: true))),
    ("shutdown", .shutdown),
    (
      "submit",
      .submit(
        Submit(
          request: 3, prompt: .text("Es war einmal"), sampling: sampling, maxTokens: 64, ignoresEOS: true))
    ),
    (
      "submit-tokens",
      .submit(
        Submit(
          request: 4, prompt: .tokens([5, 6, 7]), sampling: sampling, maxTokens: 0, ignoresEOS: false, logitRows: 3,
          isDurable: true))
    ),
    ("submitted", .submitted(Submitted(request: 3, job: 9, seed: 42, promptTokens: [5, 6, 700]))),
    (
      "tokens",
      .tokens(
        GeneratedTokens(
          job: 9, tokens: [GeneratedToken(token: 5, logProbability: -1.5)], text: [0xC3]))
    ),
    ("finished", .finished(finished)),
    ("jobFailed", .jobFailed(JobFailed(request: 3, job: 0, code: 2, sentence: "the prompt is too long"))),
    ("cancel", .cancel(Cancel(job: 9))),
    ("logits", .logits(PromptLogits(job: 9, position: 3, rows: 1, values: [0.5, -0.25, 8]))),
  ]

  private static func digest(of bytes: [UInt8]) -> Digest {
    guard let digest = Digest(bytes: bytes) else { preconditionFailure("a digest takes 32 bytes") }
    return digest
  }

  static func frame(_ message: ControlMessage) throws(WireError) -> [UInt8] {
    try message.frame(epoch: PlacementEpoch(rawValue: 7), term: CoordinatorTerm(rawValue: 2))
  }
}

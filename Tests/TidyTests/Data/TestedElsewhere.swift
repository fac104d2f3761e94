/// Source files that declare a type with functions and have no test file of their own: by room, the test file that covers
/// them and their names. A file leaves the list when it gets its own tests.
enum TestedElsewhere {
  static let rooms: [String: [String: [String]]] = [
    "Cluster": [
      "LoadPlanTests": ["LoadBalance"],
      "PlacementChangeTests": ["PlacementChangeReport"],
      "PlacementChangesTests": ["LayerGrid", "MemoryMeter"],
      "RecoveryPlanTests": ["RecoveryDealer", "RecoverySearch"],
      "TransitionPlanTests": ["TransitionSearch"],
    ],
    "Coordinator": [
      "CoordinatorClientTests": ["ClientCore"],
      "CoordinatorJobTests": ["CoordinatorCore", "CoordinatorShell", "CountersBook", "JobState"],
      "CoordinatorTCPTests": ["CoordinatorHandle"],
      "JobSummaryTests": ["JSONText"],
      "LocalWorkersTests": ["ChildOutput", "SpawnedChild"],
    ],
    "Engine": [
      "ExchangePartTests": ["ActivePass"],
      "SamplingStateTests": ["Engine", "EngineConfiguration", "ExchangeScratch", "ExpertRequest"],
    ],
    "GGUF": [
      "GGUFCursorTests": ["OpenFile"],
      "GGUFWriterTests": ["GGUFEncoder", "SplitPart"],
    ],
    "JobStore": [
      "EntryFormatTests": ["EntryReader"],
      "JournalReaderTests": ["JournalError"],
      "JournalTests": ["OpenJobs"],
      "StateFolderTests": ["SystemFile"],
    ],
    "Kernels": [
      "DequantizeTests": ["HalfFloat"],
      "KernelsRowsTests": ["Lanes", "ScalarKernels"],
      "KernelsTests": ["KernelError"],
      "QuantizedKernelsTests": ["QuantBlocks256", "QuantBlocks32"],
      "ScalarMultiplyTests": ["QuantLayout"],
      "ThreadTeamTests": ["TeamState"],
    ],
    "ModelGraph": [
      "ForwardTests": [
        "AttentionScratch", "ExpertBlock", "LoadedPiece", "ModelGraphError", "Pass", "RoutedRows", "Shard", "Workspace",
      ],
      "LogitsGoldenTests": ["LatentWorkspace"],
      "KVCacheTests": ["KVLayout"],
    ],
    "ModelSpec": [
      "FamilyFileTests": [
        "FeedForwardWidths", "KeyReader", "KeyValueShape", "RotaryScaling", "Routing", "TensorInventory",
      ],
      "ModelSpecTests": ["TensorRole"],
      "PieceLoaderTests": ["PieceLayout"],
    ],
    "Scheduling": [
      "SchedulerPropertyTests": ["SchedulerConfiguration"],
      "SchedulerTests": ["KVBlockAccount", "SequenceRequest", "SequenceState"],
    ],
    "ShardStore": [
      "ModelFolderTests": ["ModelFolderSource"],
      "PieceLoaderTests": ["ModelFileSource", "PieceSource", "StoreSource"],
      "ShardStorePruneTests": ["PruneGoal"],
    ],
    "Tensors": [
      "ForwardTests": ["TypedIndex"],
      "QuantTypeTests": ["ActivationForm"],
    ],
    "Tokenization": [
      "BytePairEncoderTests": ["ByteAlphabet", "MergeChain", "MergeQueue", "MergeTable"],
      "PieceScannerTests": ["DeepSeekScalars", "SplitRules"],
      "ScalarTextTests": ["HanScript", "ScalarTraits"],
      "TokenizerPropertyTests": ["TokenizerModel"],
      "TokenizerTests": ["ByteKey", "PreTokenizer", "SpecialTokens", "TokenKind", "Vocabulary"],
    ],
    "Transport": [
      "AcceptorTests": ["AcceptLoop", "SocketAddress", "SocketOptions"],
      "CoordinatorTCPTests": ["PlatformThread"],
      "InProcessDataPlaneTests": ["InProcessDataState", "InProcessNetwork", "Waker"],
      "TCPControlPlaneTests": ["ControlHandler", "ControlLinks"],
      "TCPDataPlaneTests": [
        "DataConnection", "DataPlaneInbox", "DataSocket", "Dialer", "OutgoingFrame", "StreamBuffer",
      ],
      "PieceServerTests": ["PieceClient", "PieceStream"],
      "WeightTests": ["BlockingFrames", "WeightClient", "WeightServer"],
    ],
    "Wire": [
      "CombineViewTests": ["CombineRow", "CombineWriter"],
      "ControlMessageTests": [
        "DurableJobMessages", "HandshakeMessages", "JobMessages", "NodeCounters", "PlacementMessages",
        "StatusMessages", "SwitchMessages", "WireWriter",
      ],
      "FrameHeaderTests": ["FrameType"],
      "DispatchViewTests": ["DispatchLayout", "DispatchWriter", "FiniteCheck"],
      "FrameDecoderTests": ["FrameType"],
      "HandOverViewTests": ["HandOverWriter"],
      "KeyValuesViewTests": ["KeyValuesWriter"],
      "JobSummaryTests": ["JobFinished", "TrafficCounters"],
      "LyingWorkerTests": ["StepMessages"],
      "PeerMessageTests": ["ClusterID", "PeerMessages"],
    ],
    "Worker": [
      "OneAnswerTests": ["ExpertHolders", "WorkerOutlet"],
      "WeightsTests": ["ShareLoader", "WeightConnection"],
      "WorkerSessionTests": ["ShareCheck", "WorkerShell"],
    ],
    "shoal": [
      "BenchCommandTests": ["BenchPrompt", "BenchRun", "ReadBandwidth"],
      "BenchReportTests": ["BenchMeasurements"],
      "BadInputTests": ["ExitStatus"],
      "BadTopologyTests": ["TopologyCommand", "TopologyFile"],
      "CommandLineTests": ["ClusterOptions", "Loopback", "TokenList", "TokenizeCommand"],
      "GenerateTests": [
        "AnswerPrinter", "ClusterPlan", "ClusterStarter", "Console", "GenerateCommand", "JobRunner", "LoadedModel",
        "RawOutput", "RunningCluster", "SamplingOptions", "Shoal", "StatusPrinter", "TopologyCluster",
      ],
      "InspectTests": ["InspectCommand", "ModelReport"],
      "OneAnswerTests": ["InProcessCluster", "LogitsCommand"],
      "PerplexityTests": ["PerplexityCommand"],
      "ServeTests": [
        "CoordinatorOption", "CoordinatorState", "JobsCommand", "RemoteCluster", "ServeCommand", "ServeStart",
        "ServicePrinter", "SubmitCommand", "TopologyNodes", "TopologyReader", "TopologyStatusText", "WorkerCommand",
      ],
      "ShardsCommandTests": ["ByteCountOption", "ShardsSummary"],
      "SignalTests": ["ParentPipe", "SignalWatch"],
      "WeightsTests": ["TCPWeightSupply"],
    ],
  ]

  /// Source files that no test covers yet, by room; may only become fewer.
  static let untested: [String: [String]] = [
    "shoal": ["OutwardAddress", "StandardStreams"]
  ]

  /// Source file to the test file that covers it.
  static func listed(_ room: String) -> [String: String] {
    var listed: [String: String] = [:]
    for (test, sources) in rooms[room] ?? [:] {
      for source in sources { listed[source] = test }
    }
    return listed
  }
}

/// Source files that declare a type with functions and have no test file of their own: by room, the test file that covers
/// them and their names. A file leaves the list when it gets its own tests.
enum TestedElsewhere {
  static let rooms: [String: [String: [String]]] = [
    "Coordinator": [
      "CoordinatorClientTests": ["ClientCore", "CoordinatorHandle"],
      "CoordinatorJobTests": ["CoordinatorCore", "CoordinatorShell", "CountersBook"],
      "JobSummaryTests": ["JSONText"],
      "LocalWorkersTests": ["ChildOutput", "PosixThread", "SpawnedChild"],
    ],
    "Engine": [
      "OneAnswerTests": ["Engine", "ExchangeScratch", "ExpertRequest", "KVCache"]
    ],
    "GGUF": [
      "GGUFCursorTests": ["OpenFile"],
      "GGUFMetadataTests": ["GGUFError"],
      "GGUFWriterTests": ["GGUFEncoder", "SplitPart"],
    ],
    "Kernels": [
      "DequantizeTests": ["HalfFloat"],
      "KernelsRowsTests": ["Lanes", "ScalarKernels"],
      "KernelsTests": ["KernelError"],
      "QuantizedKernelsTests": ["QuantBlocks256", "QuantBlocks32"],
      "ScalarMultiplyTests": ["QuantBlock"],
      "ThreadTeamTests": ["TeamState"],
    ],
    "ModelGraph": [
      "LogitsGoldenTests": [
        "Forward", "KVLayout", "LoadedPiece", "ModelGraphError", "Pass", "RotaryTable", "RoutedRows", "Shard",
        "Workspace",
      ]
    ],
    "ModelSpec": [
      "ModelSpecTests": ["Hyperparameters", "TensorRole"],
      "PieceLoaderTests": ["PieceLayout"],
    ],
    "Scheduling": [
      "SchedulerPropertyTests": ["SchedulerConfiguration"],
      "SchedulerTests": ["KVBlockAccount", "SequenceRequest", "SequenceState"],
    ],
    "ShardStore": [
      "ModelFolderTests": ["ModelFolderSource"],
      "PieceLoaderTests": ["ModelFileSource", "PieceSource", "StoreSource"],
    ],
    "Tensors": [
      "QuantTypeTests": ["ActivationForm"],
      "TopologyHostileTests": ["TypedIndex"],
    ],
    "Tokenization": [
      "BytePairEncoderTests": ["ByteAlphabet", "MergeQueue", "MergeTable"],
      "ScalarTextTests": ["ScalarTraits"],
      "TokenizerMetadataTests": ["TokenizationError"],
      "TokenizerTests": ["ByteKey", "PreTokenizer", "SpecialTokenTrie", "SpecialTokens", "Vocabulary"],
    ],
    "Transport": [
      "CoordinatorClientTests": [
        "HostPort", "InProcessControlPlane", "InProcessDataPlane", "InProcessNetwork", "Waker",
      ],
      "LocalWorkersTests": ["Mailbox"],
    ],
    "Wire": [
      "CoordinatorBringupTests": ["PlacementMessages", "WireReader", "WireWriter"],
      "CoordinatorClientTests": [
        "ClusterID", "ControlMessage", "FrameHeader", "HandshakeMessages", "JobMessages", "XXH64",
      ],
      "CoordinatorJobTests": ["StepMessages"],
      "JobSummaryTests": ["JobFinished", "TrafficCounters"],
    ],
  ]

  /// Source files that no test covers yet, by room; may only become fewer.
  static let untested: [String: [String]] = [
    "Transport": [
      "AcceptLoop", "Acceptor", "BlockingFrames", "ControlHandler", "ControlLinks", "DataPlaneInbox", "DataSocket",
      "Dialer", "OutgoingFrame", "PlatformThread", "SocketAddress", "SocketOptions", "StreamBuffer", "TCPControlPlane",
      "TCPDataPlane", "WeightClient", "WeightServer",
    ],
    "Wire": [
      "CombineRow", "CombineView", "CombineWriter", "DispatchLayout", "DispatchView", "DispatchWriter", "FiniteCheck",
      "FrameDecoder", "HandOverView", "HandOverWriter", "PeerMessages",
    ],
    "Worker": ["ExpertHolders", "ShareLoader", "WeightConnection", "WorkerOutlet", "WorkerShell"],
    "shoal": [
      "AnswerPrinter", "ClusterOptions", "ClusterPlan", "ClusterStarter", "Console", "ExitStatus", "GenerateCommand",
      "InProcessCluster", "JobRunner", "LoadedModel", "LogitsCommand", "Loopback", "OutwardAddress", "ParentPipe",
      "PerplexityCommand", "RemoteCluster", "RunningCluster", "SamplingOptions", "ServeCommand", "SignalWatch",
      "StatusPrinter", "TCPWeightSupply", "TokenList", "TokenizeCommand", "TopologyCluster", "TopologyCommand",
      "TopologyFile", "WorkerCommand",
    ],
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

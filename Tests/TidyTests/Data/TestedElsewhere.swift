/// Source files that declare a type with functions and have no test file of their own: by room, the test file that covers
/// them and their names. A file leaves the list when it gets its own tests.
enum TestedElsewhere {
  static let rooms: [String: [String: [String]]] = [
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
      "KernelsTests": ["KernelError"],
      "QuantizedKernelsTests": ["QuantBlocks256", "QuantBlocks32"],
      "ScalarMultiplyTests": ["QuantBlock"],
      "ThreadTeamTests": ["TeamState"],
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
      "PieceLoaderTests": ["TypedIndex"],
      "QuantTypeTests": ["ActivationForm"],
    ],
    "Tokenization": [
      "BytePairEncoderTests": ["ByteAlphabet", "MergeQueue", "MergeTable"],
      "ScalarTextTests": ["ScalarTraits"],
      "TokenizerMetadataTests": ["TokenizationError"],
      "TokenizerTests": ["ByteKey", "PreTokenizer", "SpecialTokenTrie", "SpecialTokens", "Vocabulary"],
    ],
  ]

  /// Source files that no test covers yet, by room; may only become fewer.
  static let untested: [String: [String]] = [
    "Cluster": [
      "ByteCountText", "ExpertSet", "IndexListText", "JSONParser", "Membership", "MemoryPlan", "ModelFacts",
      "NodeAddress", "ReplicaChoice", "TextTable", "Topology", "TopologyDecoder", "TopologyDrawing", "TopologyFields",
      "TopologyNode", "TopologyReport",
    ],
    "Coordinator": [
      "ChildOutput", "ClientCore", "CoordinatorClient", "CoordinatorCore", "CoordinatorHandle", "CoordinatorShell",
      "CountersBook", "JSONText", "LocalWorkers", "PosixThread", "SpawnedChild",
    ],
    "Kernels": ["Lanes", "ScalarKernels"],
    "ModelGraph": [
      "Forward", "KVLayout", "LoadedPiece", "ModelGraphError", "Pass", "RotaryTable", "RoutedRows", "Shard",
      "Workspace",
    ],
    "Transport": [
      "AcceptLoop", "Acceptor", "ControlHandler", "ControlLinks", "Dialer", "HostPort", "InProcessControlPlane",
      "InProcessDataPlane", "InProcessNetwork", "Mailbox", "PlatformThread", "SocketAddress", "SocketOptions",
      "TCPControlPlane", "Waker",
    ],
    "Wire": [
      "ClusterID", "CombineRow", "CombineView", "CombineWriter", "ControlMessage", "DispatchLayout", "DispatchView",
      "DispatchWriter", "FiniteCheck", "FrameDecoder", "FrameHeader", "HandOverView", "HandOverWriter",
      "HandshakeMessages", "JobFinished", "JobMessages", "PeerMessages", "PlacementMessages", "StepMessages",
      "TrafficCounters", "WireReader", "WireWriter", "XXH64",
    ],
    "Worker": ["ExpertHolders", "ShareLoader", "WorkerOutlet", "WorkerShell"],
    "shoal": ["ClusterOptions", "Console", "ExitStatus", "SamplingOptions", "TokenList", "TokenizeCommand"],
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

/// A target of the package.
struct Room {
  let name: String
  /// Rooms that its row names.
  let imports: [String]
  /// Modules of packages.
  var packages: [String] = []
  /// Why it may import Foundation; most may not.
  var foundationReason: String?
  /// Whether its folder is still to come.
  var isPlanned = false
  /// Where its files are, if not in `Sources`.
  var folder: String?
}

/// The table of docs/architecture.md as data. A room imports what its row names and what those rooms name in turn,
/// and every row names only rows above it.
enum House {
  static let rooms: [Room] = [
    Room(name: "CKernels", imports: []),
    Room(name: "Tensors", imports: []),
    Room(name: "Kernels", imports: ["CKernels", "Tensors"]),
    Room(name: "GGUF", imports: ["Tensors"]),
    Room(name: "Tokenization", imports: ["GGUF"]),
    Room(name: "ModelSpec", imports: ["GGUF", "Tensors"]),
    Room(name: "ModelGraph", imports: ["ModelSpec", "Kernels", "Tensors"]),
    Room(name: "ShardStore", imports: ["GGUF", "Kernels", "ModelSpec"], packages: ["Crypto"]),
    Room(name: "Scheduling", imports: ["ModelSpec"]),
    Room(name: "Sampling", imports: ["Kernels", "Scheduling"]),
    Room(name: "Engine", imports: ["ModelGraph", "ShardStore", "Scheduling", "Sampling", "Kernels"]),
    Room(name: "Cluster", imports: ["ModelSpec", "Scheduling"]),
    Room(name: "Wire", imports: ["Cluster", "Scheduling", "ModelSpec", "Tensors"]),
    Room(name: "Transport", imports: ["Wire"], packages: ["NIOCore", "NIOPosix", "Logging"]),
    Room(name: "Worker", imports: ["Engine", "ShardStore", "Transport", "Wire", "Cluster"], packages: ["Logging"]),
    Room(name: "JobStore", imports: ["Scheduling"]),
    Room(
      name: "Coordinator",
      imports: ["Transport", "Wire", "Cluster", "Scheduling", "ShardStore", "Tokenization", "JobStore"],
      packages: ["Logging"]),
    Room(name: "HTTPAPI", imports: [], isPlanned: true),
    Room(
      name: "shoal",
      imports: [
        "CKernels", "Tensors", "Kernels", "GGUF", "Tokenization", "ModelSpec", "ModelGraph", "ShardStore", "Scheduling",
        "Sampling", "Engine", "Cluster", "Wire", "Transport", "Worker", "JobStore", "Coordinator", "HTTPAPI",
      ],
      packages: ["ArgumentParser", "Logging"],
      foundationReason: "JSON reports of the commands"),
    Room(
      name: "ClusterTestKit", imports: ["Worker", "Coordinator"], packages: ["Logging"],
      foundationReason: "temporary folders", folder: "Tests/ClusterTestKit"),
  ]

  /// Modules that come with the compiler and the system.
  static let basics: Set<String> = ["Swift", "Synchronization", "Glibc", "Musl", "Darwin", "Dispatch"]
  static let foundation: Set<String> = ["Foundation", "FoundationEssentials"]

  /// C is called through `Kernels` alone, though many rows name that in turn.
  static let onlyByName: Set<String> = ["CKernels"]
  /// For tests; no room imports it.
  static let testsOnly: Set<String> = ["ClusterTestKit"]

  static func room(_ name: String) -> Room? { rooms.first { $0.name == name } }

  /// The rooms that a room may import.
  static func reach(of name: String) -> Set<String> {
    guard let room = room(name) else { return [] }
    let inTurn = room.imports.reduce(into: Set<String>()) { $0.formUnion(reach(of: $1)) }
    return inTurn.subtracting(onlyByName).union(room.imports)
  }
}

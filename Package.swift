// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// A room of the house: a target, and the rooms above it that it may import (docs/architecture.md).
func room(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: imports, swiftSettings: settings)
}

func tests(_ name: String, _ imports: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.init(stringLiteral: name)] + imports, swiftSettings: settings)
}

let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let rooms: [Target] = [
  .target(name: "CKernels"),
  room("Tensors"),
  room("Kernels", ["CKernels", "Tensors"]),
  room("GGUF", ["Tensors"]),
  room("Tokenization", ["GGUF", "Tensors"]),
  room("ModelSpec", ["GGUF", "Tensors"]),
  room("ModelGraph", ["ModelSpec", "Kernels", "Tensors"]),
  room("ShardStore", ["GGUF", "Kernels", "ModelSpec", "Tensors", crypto]),
  room("Scheduling", ["ModelSpec", "Tensors"]),
  room("Sampling", ["Kernels", "Scheduling", "Tensors"]),
  room("Engine", ["ModelGraph", "ShardStore", "Scheduling", "Sampling", "Kernels", "ModelSpec", "Tensors"]),
  room("Cluster", ["ModelSpec", "Scheduling", "Tensors"]),
  room("Wire", ["Cluster", "Scheduling", "ModelSpec", "Tensors"]),
  room("Transport", ["Wire", "Tensors", logging] + nio),
  room("Worker", ["Engine", "ShardStore", "Transport", "Wire", "Cluster", "Tensors", logging]),
  room("JobStore", ["Scheduling", "Tensors"]),
  room(
    "Coordinator",
    [
      "Transport", "Wire", "Cluster", "Scheduling", "ShardStore", "Tokenization", "JobStore", "ModelSpec", "Tensors",
      logging,
    ]),
]

let package = Package(
  name: "shoal",
  products: [.executable(name: "shoal", targets: ["shoal"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
  ],
  targets: rooms + [
    .executableTarget(
      name: "shoal", dependencies: rooms.map { .init(stringLiteral: $0.name) } + [arguments],
      swiftSettings: settings),
    tests("Tensors"),
    tests("Kernels", ["CKernels", "Tensors"]),
    tests("GGUF", ["Tensors"]),
    tests("Tokenization", ["GGUF", "Tensors"]),
    tests("ModelSpec", ["GGUF", "Tensors"]),
    tests("ModelGraph", ["ModelSpec", "Kernels", "GGUF", "Tensors"]),
    tests("ShardStore", ["GGUF", "ModelSpec", "Tensors"]),
    tests("Scheduling", ["Tensors"]),
    tests("Sampling", ["Kernels", "Scheduling", "Tensors"]),
    tests("Engine", ["ModelGraph", "ModelSpec", "Kernels", "GGUF", "Tensors"]),
    tests("Cluster", ["GGUF", "ModelSpec", "Tensors"]),
    tests("Wire", ["Cluster", "Tensors"]),
    tests("Transport", ["Wire", "Tensors"]),
    tests("Worker", ["Wire", "Tensors"]),
    tests("JobStore", ["Scheduling", "Tensors"]),
    tests("Coordinator", ["Cluster", "JobStore", "ModelSpec", "Wire", "Tensors"]),
    tests("shoal"),
    .testTarget(name: "TidyTests", swiftSettings: settings),
    .target(
      name: "ClusterTestKit",
      dependencies: [
        "Cluster", "Coordinator", "GGUF", "JobStore", "Kernels", "ModelSpec", "Scheduling", "ShardStore", "Tensors",
        "Tokenization",
        "Transport", "Wire", "Worker", logging,
      ], path: "Tests/ClusterTestKit", swiftSettings: settings),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "ClusterTestKit", "Cluster", "Coordinator", "Engine", "JobStore", "Kernels", "ModelSpec", "Scheduling",
        "ShardStore",
        "Tensors", "Transport", "Wire", "Worker",
      ], swiftSettings: settings),
  ]
)

import Cluster
import Coordinator
import JobStore

/// What a coordinator begins with: the topology file, or the last accepted one when the file is wrong.
struct ServeStart {
  let plan: ClusterPlan
  let topology: Topology
  /// Bytes of that topology.
  let source: [UInt8]
  /// What is wrong with the file; nil when it is what runs.
  let refusal: String?

  init(path: String, options: ClusterOptions, folder: StateFolder) throws {
    let wrong: any Error
    do {
      let begun = try Self.begin(TopologyFile.bytes(path, limit: StateFolder.topologyBytesMax), path, options)
      try folder.storeTopology(begun.source)
      self.init(begun, refusal: nil)
      return
    } catch {
      wrong = error
    }
    guard let bytes = try folder.loadTopology() else { throw wrong }
    Console.error("shoal: \(wrong)\nshoal: going on with the last accepted topology")
    // Paths in it are relative to where it was read from.
    self.init(try Self.begin(bytes, path, options), refusal: "\(wrong)")
  }

  private init(_ begun: (plan: ClusterPlan, topology: Topology, source: [UInt8]), refusal: String?) {
    (plan, topology, source) = begun
    self.refusal = refusal
  }

  private static func begin(
    _ bytes: [UInt8], _ path: String, _ options: ClusterOptions
  ) throws -> (plan: ClusterPlan, topology: Topology, source: [UInt8]) {
    let topology = try Topology(decoding: bytes, file: path)
    // Addresses are read here too, so that a file with a wrong one is never kept as a good one.
    _ = try TopologyNodes(topology, options)
    return (try ClusterPlan(topology, options), topology, bytes)
  }
}

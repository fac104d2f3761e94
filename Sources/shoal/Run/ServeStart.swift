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
    do {
      let bytes = try TopologyFile.bytes(path, limit: StateFolder.topologyBytesMax)
      let topology = try Topology(decoding: bytes, file: path)
      plan = try ClusterPlan(topology, options)
      try folder.storeTopology(bytes)
      self.topology = topology
      source = bytes
      refusal = nil
    } catch let error as TopologyError {
      guard let bytes = try folder.loadTopology() else { throw error }
      // Paths in it are relative to where it was read from.
      let topology = try Topology(decoding: bytes, file: path)
      plan = try ClusterPlan(topology, options)
      self.topology = topology
      source = bytes
      refusal = "\(error)"
      Console.error("shoal: \(error)\nshoal: going on with the last accepted topology")
    }
  }
}

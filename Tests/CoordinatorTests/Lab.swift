import Cluster
import ModelSpec
import Scheduling
import Synchronization
import Tensors
import Transport
import Wire

@testable import Coordinator
@testable import Tokenization

/// A coordinator, fake workers and clients on one thread, with a clock that only moves when told to.
final class Lab {
  let network = InProcessNetwork()
  let model = FakeModel()
  let handle = CoordinatorHandle()
  let weights = FakeWeights()
  let shell: CoordinatorShell
  private(set) var workers: [FakeWorker] = []
  private(set) var clients: [LabClient] = []
  let status = Recorder<CoordinatorStatus>()
  private(set) var now = ContinuousClock.now
  static let address = HostPort(host: "coordinator", port: 1)
  /// Of the coordinator's plane.
  static let name = "the coordinator"

  /// - Parameters:
  ///   - hosts: the host of each stage, by index of the node.
  ///   - spares: nodes without experts; the others have replicas of all.
  init(
    nodes: [NodeID] = ["reef"], hosts: [Int] = [0], sequences: Int = 4, context: Int = 256, prefillChunk: Int = 16,
    missing: Set<NodeID> = [], localNodes: Set<NodeID> = [], spares: Set<NodeID> = []
  ) throws {
    for (index, node) in nodes.enumerated() where !missing.contains(node) {
      let address = Self.address(index)
      workers.append(FakeWorker(node, at: address, network: network, model: model))
    }
    let last = workers.first { $0.node == nodes[hosts.last ?? 0] }
    for worker in workers { worker.lastHost = last }
    let places = nodes.enumerated().map { index, node in
      NodePlace(node, localNodes.contains(node) ? nil : Self.address(index))
    }
    let configuration = try Self.configuration(
      places, hosts: hosts, sequences: sequences, context: context, prefillChunk: prefillChunk, spares: spares)
    let plane = InProcessControlPlane(
      network: network, name: Self.name, address: Self.address, sink: handle.controlSink)
    let status = status
    shell = CoordinatorShell(handle: handle, configuration: configuration, plane: plane, weights: weights) {
      status.record($0)
    }
  }

  static func address(_ index: Int) -> HostPort { HostPort(host: "node", port: UInt16(7001 + index)) }

  static func configuration(
    _ nodes: [NodePlace], hosts: [Int], sequences: Int = 4, context: Int = 256, prefillChunk: Int = 16,
    spares: Set<NodeID> = []
  ) throws -> CoordinatorConfiguration {
    let zero = try zeroDigest()
    let holdings = nodes.indices.filter { !spares.contains(nodes[$0].id) }.map {
      ExpertHolding(node: NodeIndex($0), experts: ExpertSet(all: 4))
    }
    let stages = hosts.enumerated().map { index, host in
      StagePlacement(
        layers: LayerIndex(index)..<LayerIndex(index + 1), host: NodeIndex(host),
        experts: holdings)
    }
    let plans = nodes.enumerated().map { index, node in
      NodePlan(
        id: node.id, address: node.address,
        pieces: [PieceDescription(piece: .trunk(LayerIndex(index)), byteCount: 1000 + index, digest: zero)])
    }
    let header = PieceDescription(piece: .header, byteCount: 10, digest: zero)
    return CoordinatorConfiguration(
      cluster: ClusterID(high: 1, low: 2), term: CoordinatorTerm(rawValue: 1), numericsVersion: 1, software: "test",
      model: ModelPlan(
        id: zero, header: header, tokenizer: try tokenizer(), vocabularySize: FakeModel.vocabularySize),
      placement: Placement(epoch: PlacementEpoch(rawValue: 1), nodes: nodes.map(\.id), stages: stages), nodes: plans,
      kvType: .f16, combine: .exact, context: context, sequences: sequences, prefillChunk: prefillChunk,
      subBatchRows: 64)
  }

  /// Every byte is a token, and 256 ends an answer.
  static func tokenizer() throws -> Tokenizer {
    let alphabet = (UInt8.min...UInt8.max).map { String(decoding: ByteAlphabet.utf8(of: $0), as: UTF8.self) }
    var definition = TokenizerDefinition(
      model: "gpt2", preTokenizer: "qwen2", tokens: alphabet + ["<end>"], kinds: nil, merges: [])
    definition.kinds = definition.tokens.indices.map { $0 == 256 ? Int(TokenKind.control.rawValue) : 1 }
    definition.eos = 256
    return try Tokenizer(definition)
  }

  static func tokens(_ text: String) -> [TokenID] { text.utf8.map { TokenID(UInt32($0)) } }

  func worker(_ node: NodeID) -> FakeWorker? { workers.first { $0.node == node } }

  func submit(_ request: JobRequest) -> (JobID, Recorder<JobEvent>) {
    let recorder = Recorder<JobEvent>()
    return (handle.submit(request, sink: recorder.sink), recorder)
  }

  func addClient() -> LabClient {
    let client = LabClient(number: clients.count, network: network)
    clients.append(client)
    return client
  }

  func pass(_ duration: Duration) { now += duration }

  /// One round of everybody; whether anything happened.
  @discardableResult
  func advance() -> Bool {
    var hasWorked = shell.advance(now: now)
    for worker in workers { hasWorked = worker.advance() || hasWorked }
    for client in clients { hasWorked = client.client.advance(now: now) || hasWorked }
    return hasWorked
  }

  /// Goes on until nothing happens any more, or `condition` holds; at most `rounds` rounds.
  func settle(rounds: Int = 20_000, until condition: () -> Bool = { false }) {
    for _ in 0..<rounds where !condition() {
      if !advance() { return }
    }
  }
}

/// A node and where it listens.
struct NodePlace {
  let id: NodeID
  let address: HostPort?

  init(_ id: NodeID, _ address: HostPort?) {
    self.id = id
    self.address = address
  }
}

/// A remote client.
final class LabClient {
  let plane: InProcessControlPlane
  let client: CoordinatorClient

  init(number: Int, network: InProcessNetwork) {
    let handle = CoordinatorClient.Handle()
    plane = InProcessControlPlane(network: network, name: "client \(number)", sink: handle.controlSink)
    client = CoordinatorClient(handle: handle, plane: plane, address: Lab.address, software: "test")
  }

  func submit(_ request: JobRequest) -> (JobID, Recorder<JobEvent>) {
    let recorder = Recorder<JobEvent>()
    return (client.handle.submit(request, sink: recorder.sink), recorder)
  }
}

/// Keeps book of who is served weights.
final class FakeWeights: WeightSupply {
  private(set) var served: [NodeID: HostPort] = [:]
  private(set) var stopped: [NodeID] = []
  var counters = TrafficCounters()

  func serve(_ node: NodeID, at address: HostPort) { served[node] = address }
  func stop(_ node: NodeID) { stopped.append(node) }
}

/// A digest of nothing in particular.
func zeroDigest() throws -> Digest {
  struct NoDigest: Error {}
  guard let digest = Digest(bytes: Array(repeating: 0, count: Digest.byteCount)) else { throw NoDigest() }
  return digest
}

import ModelSpec
import Tensors

/// What every layer, expert and role takes of a node's memory, looked up once; the rules are those of `MemoryPlan`.
struct MemoryTerms: Sendable {
  /// How much of a step a node does; each takes at least the scratch of the one before.
  enum Role: Int, Sendable, Comparable {
    case spare, experts, host, lastHost

    static func < (left: Role, right: Role) -> Bool { left.rawValue < right.rawValue }
  }

  let facts: ModelFacts
  /// Of each expert of each layer.
  let expertBytes: [[Int]]
  /// Of each layer.
  let trunkBytes: [Int]
  /// Of each layer, when full.
  let keyValueBytes: [Int]
  let embeddingBytes: Int
  let outputBytes: Int
  /// By `Role`.
  private let scratch: [Int]

  init(facts: ModelFacts, sizes: ModelSizes, context: Int, sequences: Int, rows: Int) {
    self.facts = facts
    expertBytes = facts.expertCounts.enumerated().map { layer, count in
      (0..<count).map { sizes.pieceBytes(.expert(LayerIndex(layer), ExpertIndex($0))) }
    }
    trunkBytes = facts.layers.map { sizes.pieceBytes(.trunk($0)) }
    keyValueBytes = facts.layers.map {
      MemoryPlan.keyValueBytes(of: $0, sizes: sizes, context: context, sequences: sequences)
    }
    embeddingBytes = sizes.pieceBytes(.embedding)
    outputBytes = sizes.pieceBytes(.output)
    scratch = [Role.spare, .experts, .host, .lastHost].map { role in
      MemoryPlan.scratchBytes(
        sizes, rows: rows, sequences: sequences, takesPart: role > .spare, isHost: role >= .host,
        isLast: role == .lastHost)
    }
  }

  func scratchBytes(_ role: Role) -> Int { scratch[role.rawValue] }
}

/// The memory of nodes while things are given to them, one after the other. Whatever is added stays, so that the sum
/// over two placements is what a node holds while the one gives way to the other.
struct MemoryMeter: Sendable {
  struct Node: Sendable, Hashable {
    var weightBytes = 0
    var keyValueBytes = 0
    var role = MemoryTerms.Role.spare
    var hasEmbedding = false
    var hasOutput = false
  }

  let terms: MemoryTerms
  /// May be set back to what it was before something was added.
  var nodes: [Node]

  /// Nodes that hold nothing.
  init(_ terms: MemoryTerms, nodeCount: Int) {
    self.terms = terms
    nodes = Array(repeating: Node(), count: nodeCount)
  }

  /// Nodes that hold what a placement gives them.
  init(_ terms: MemoryTerms, _ grid: LayerGrid) {
    self.init(terms, nodeCount: grid.nodes.count)
    for (layer, host) in grid.hosts.enumerated() { addHost(of: layer, host) }
    for (layer, experts) in grid.holders.enumerated() {
      for (expert, holders) in experts.enumerated() {
        for node in holders { addExpert(expert, of: layer, node) }
      }
    }
  }

  /// An expert that the node does not have yet.
  mutating func addExpert(_ expert: Int, of layer: Int, _ node: Int) {
    nodes[node].weightBytes = sum(nodes[node].weightBytes, terms.expertBytes[layer][expert])
    nodes[node].role = max(nodes[node].role, .experts)
  }

  /// The trunk of a layer that the node does not have yet, its KV cache, and what comes with the first and last layer.
  mutating func addHost(of layer: Int, _ node: Int) {
    var share = nodes[node]
    let isLast = layer == terms.trunkBytes.count - 1
    share.weightBytes = sum(share.weightBytes, terms.trunkBytes[layer])
    share.keyValueBytes = sum(share.keyValueBytes, terms.keyValueBytes[layer])
    share.role = max(share.role, isLast ? .lastHost : .host)
    if layer == 0 || (isLast && terms.facts.outputUsesEmbedding), !share.hasEmbedding {
      share.hasEmbedding = true
      share.weightBytes = sum(share.weightBytes, terms.embeddingBytes)
    }
    if isLast, !share.hasOutput {
      share.hasOutput = true
      share.weightBytes = sum(share.weightBytes, terms.outputBytes)
    }
    nodes[node] = share
  }

  /// Everything a node holds, with its scratch.
  func totalBytes(_ node: Int) -> Int {
    sum(nodes[node].weightBytes, nodes[node].keyValueBytes, terms.scratchBytes(nodes[node].role))
  }
}

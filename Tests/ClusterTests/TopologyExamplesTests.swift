import Foundation
import ModelSpec
import Tensors
import Testing

@testable import Cluster

/// The default cluster and the examples; each must decode, place, and keep its memory limits.
@Suite struct TopologyExamplesTests {
  /// Shapes of the models that the examples are for, about as large as their Q4_K_M files are.
  struct Model: Sendable {
    let facts: ModelFacts
    let sizes: ModelSizes

    /// - Parameters:
    ///   - dense: layers at the start without routed experts.
    ///   - trunkBytes: of one layer.
    ///   - keyValueBytes: of one position of one layer.
    init(
      layers: Int, dense: Int = 0, experts: Int, perToken: Int, hidden: Int, width: Int, query: Int, vocabulary: Int,
      context: Int, trunkBytes: Int, keyValueBytes: Int, tied: Bool = false
    ) {
      facts = ModelFacts(
        expertCounts: (0..<layers).map { $0 < dense ? 0 : experts }, contextLength: context, outputUsesEmbedding: tied)
      // Q4_K takes 144 bytes for 256 elements; the Q4_K_M mix comes to about 4.85 bits an element.
      let expertBytes = 3 * hidden * width * 485 / 800
      sizes = ModelSizes(
        pieceBytes: { piece in
          switch piece {
          case .header: 0
          case .embedding, .output: hidden * vocabulary * 6 / 8
          case .trunk: trunkBytes
          case .expert: expertBytes
          }
        }, keyValueBytes: { _ in keyValueBytes }, hiddenSize: hidden, queryWidth: query, expertWidth: width,
        expertsPerToken: perToken, vocabularySize: vocabulary)
    }
  }

  static let demo = Model(
    layers: 6, experts: 16, perToken: 2, hidden: 256, width: 256, query: 256, vocabulary: 2048, context: 1024,
    trunkBytes: 200_000, keyValueBytes: 512, tied: true)
  static let models: [String: Model] = [
    "two-boxes": demo, "two-boxes-pipeline": demo, "replicas-and-a-spare": demo,
    "qwen3-30b-four-boxes": Model(
      layers: 48, experts: 128, perToken: 8, hidden: 2048, width: 768, query: 4096, vocabulary: 151_936,
      context: 40_960, trunkBytes: 13_000_000, keyValueBytes: 2048),
    "qwen3-235b-twelve-boxes": Model(
      layers: 94, experts: 128, perToken: 8, hidden: 4096, width: 1536, query: 8192, vocabulary: 151_936,
      context: 40_960, trunkBytes: 45_000_000, keyValueBytes: 2048),
    "deepseek-v3-thirty-two-boxes": Model(
      layers: 61, dense: 3, experts: 256, perToken: 8, hidden: 7168, width: 2048, query: 24_576, vocabulary: 129_280,
      context: 163_840, trunkBytes: 160_000_000, keyValueBytes: 1152),
    "trillion-sixty-boxes": Model(
      layers: 61, dense: 1, experts: 384, perToken: 8, hidden: 7168, width: 2048, query: 12_288, vocabulary: 163_840,
      context: 131_072, trunkBytes: 110_000_000, keyValueBytes: 1152),
  ]

  static let names = models.keys.sorted()

  @Test("every example file is among those tested")
  func complete() throws {
    let folder = Repository.root.appendingPathComponent("cluster/topologies").path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(files == Self.names.map { $0 + ".json" }.sorted())
  }

  @Test("examples decode, place, and keep their memory limits", arguments: names)
  func example(_ name: String) throws {
    let model = try #require(Self.models[name])
    let path = "cluster/topologies/\(name).json"
    let topology = try Topology(decoding: Repository.bytes(path), file: path)
    let placement = try topology.place(model.facts)
    #expect(placement.problem(for: model.facts) == nil)
    let context = try topology.contextLength(for: model.facts)
    let plan = MemoryPlan(
      placement: placement, facts: model.facts, sizes: model.sizes, context: context,
      sequences: topology.sequences.value, rows: 512)
    try plan.check(topology)
    #expect(topology.warnings(model.facts).count == (name == "replicas-and-a-spare" ? 1 : 0))
    let report = TopologyReport(
      topology: topology, placement: placement, facts: model.facts, context: context, memory: plan)
    let text = TopologyDrawing(report).text
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= TopologyDrawing.width })
    if name == "trillion-sixty-boxes" {
      let weights = plan.shares.reduce(0) { $0 + $1.weightBytes }
      #expect((500_000_000_000..<700_000_000_000).contains(weights))
    }
  }

  @Test("the default cluster: three local nodes and the embedded model")
  func defaultCluster() throws {
    let topology = try Topology(decoding: Repository.bytes("topology.json"))
    #expect(topology.nodes.count == 3 && topology.nodes.allSatisfy { $0.address == .local })
    #expect(FileManager.default.fileExists(atPath: Repository.root.appendingPathComponent(topology.modelPath).path))
    let placement = try topology.place(ModelFacts(Repository.demoSpec()))
    #expect(placement.participants == [0, 1, 2] && topology.warnings(sampleFacts).isEmpty)
  }
}

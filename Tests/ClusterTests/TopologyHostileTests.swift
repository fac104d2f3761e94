import Foundation
import Tensors
import Testing

@testable import Cluster

/// Files that somebody cut, damaged or made up.
@Suite struct TopologyHostileTests {
  @Test("a topology cut at any byte is refused, at a place inside what is left")
  func truncation() throws {
    let bytes = Array(sampleText.utf8)
    for count in 0..<bytes.count {
      let error = try #require(decodingError(Array(bytes[..<count])), "accepted \(count) bytes")
      let lines = bytes[..<count].split(separator: 10, omittingEmptySubsequences: false).count
      #expect(error.code == .syntax && 1...lines ~= error.line)
    }
  }

  @Test("random damage gives an error or a sound topology, never a trap")
  func flips() {
    var random = SeededGenerator(seed: 11)
    var refused = 0
    for _ in 0..<20_000 {
      var bytes = Array(sampleText.utf8)
      for _ in 0...Int.random(in: 0..<3, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      do throws(TopologyError) {
        let placement = try Topology(decoding: bytes).place(sampleFacts)
        #expect(placement.problem(for: sampleFacts) == nil)
      } catch {
        refused += 1
        #expect(error.line >= 1 && error.column >= 1 && !error.message.isEmpty)
      }
    }
    #expect((10_000..<20_000).contains(refused))
  }

  @Test("random pieces of the sample in random order never trap")
  func shuffled() {
    var random = SeededGenerator(seed: 12)
    let tokens = sampleText.split(whereSeparator: \.isWhitespace).map(String.init)
    for _ in 0..<5_000 {
      var text = tokens
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        text.swapAt(Int.random(in: text.indices, using: &random), Int.random(in: text.indices, using: &random))
      }
      guard let topology = try? decode(text.joined(separator: "\n")) else { continue }
      guard let placement = try? topology.place(sampleFacts) else { continue }
      #expect(placement.problem(for: sampleFacts) == nil)
    }
  }

  @Test("a random placement, written as a topology and read again, is the same placement")
  func roundTrip() throws {
    var random = SeededGenerator(seed: 13)
    for _ in 0..<300 {
      let facts = randomFacts(&random)
      let placement = randomPlacement(facts, &random)
      #expect(placement.problem(for: facts) == nil)
      let topology = try decode(render(placement, &random))
      #expect(try topology.place(facts, epoch: placement.epoch) == placement)
    }
  }

  private func randomFacts(_ random: inout SeededGenerator) -> ModelFacts {
    let count = Int.random(in: 1...40, using: &random)
    let layers = (0..<Int.random(in: 1...12, using: &random)).map { _ in
      Int.random(in: 0..<4, using: &random) == 0 ? 0 : Int.random(in: 1...count, using: &random)
    }
    return ModelFacts(expertCounts: layers, contextLength: 4096, outputUsesEmbedding: Bool.random(using: &random))
  }

  private func randomPlacement(_ facts: ModelFacts, _ random: inout SeededGenerator) -> Placement {
    let nodes = (0..<Int.random(in: 1...7, using: &random)).map { NodeID("node-\($0)") }
    var stages: [StagePlacement] = []
    var next = 0
    while next < facts.layerCount {
      let end = Int.random(in: next + 1...facts.layerCount, using: &random)
      let layers = LayerIndex(next)..<LayerIndex(end)
      stages.append(
        StagePlacement(
          layers: layers, host: NodeIndex(Int.random(in: nodes.indices, using: &random)),
          experts: randomHoldings(facts.expertCountMax(layers), nodeCount: nodes.count, &random)))
      next = end
    }
    return Placement(
      epoch: PlacementEpoch(rawValue: UInt32.random(in: 1...9, using: &random)), nodes: nodes, stages: stages)
  }

  private func randomHoldings(_ count: Int, nodeCount: Int, _ random: inout SeededGenerator) -> [ExpertHolding] {
    var sets = Array(repeating: [ExpertIndex](), count: nodeCount)
    for expert in 0..<ExpertIndex(count) {
      for _ in 0...Int.random(in: 0...1, using: &random) {
        sets[Int.random(in: 0..<nodeCount, using: &random)].append(expert)
      }
    }
    return sets.enumerated().filter { !$1.isEmpty }.map {
      ExpertHolding(node: NodeIndex($0), experts: ExpertSet($1))
    }
  }

  /// The placement as the text of a topology, with stages and shares in random order.
  private func render(_ placement: Placement, _ random: inout SeededGenerator) -> String {
    let nodes = placement.nodes.map { "\"\($0)\": {\"address\": \"local\"}" }.joined(separator: ", ")
    var stages: [String] = []
    for stage in placement.stages {
      var shares: [String] = []
      for holding in stage.experts.shuffled(using: &random) {
        let members = holding.experts.members.map { "\($0)" }.shuffled(using: &random).joined(separator: " , ")
        let text = Bool.random(using: &random) ? "\(holding.experts)" : members
        shares.append("\"\(placement.nodes[holding.node.rawValue])\": \"\(text)\"")
      }
      let experts = shares.isEmpty ? "" : ", \"experts\": {\(shares.joined(separator: ", "))}"
      stages.append(
        "{\"layers\": \"\(stage.layers.text)\", \"host\": \"\(placement.nodes[stage.host.rawValue])\"\(experts)}")
    }
    let list = stages.shuffled(using: &random).joined(separator: ",\n")
    return "{\"model\": \"m.gguf\", \"nodes\": {\(nodes)}, \"stages\": [\n\(list)]}"
  }
}

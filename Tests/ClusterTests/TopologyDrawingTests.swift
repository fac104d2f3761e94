import Foundation
import Tensors
import Testing

@testable import Cluster

@Suite struct TopologyDrawingTests {
  private func report(_ text: String, _ facts: ModelFacts = sampleFacts) throws -> TopologyReport {
    let topology = try decode(text)
    return TopologyReport(
      topology: topology, placement: try topology.place(facts), facts: facts,
      context: try topology.contextLength(for: facts))
  }

  @Test("the sample, drawn")
  func drawn() throws {
    let expected = """
      tales.gguf: 6 layers in 2 stages on 3 nodes
      context 1024, 8 sequences, KV cache f32, combine compact

      stage 0  layers 0-2  host reef  16 experts a layer
      |   reef   ####............  0-3
      |   cove   ....######......  4-9
      |   sound  ..........######  10-15
      |
      stage 1  layers 3-5  host cove  16 experts a layer
      |   reef   ####====........  0-7
      |   cove   ........########  8-15
      |   sound  ....====........  4-7
      v   next token

      node   address            hosts stage  experts  memory
      reef   local              0                 36       -
      cove   local              1                 42  512 MB
      sound  192.168.1.12:7070  -                 30       -

      # held here   = held here and elsewhere (replicas)   . held elsewhere

      """
    #expect(TopologyDrawing(try report(sampleText)).text == expected)
  }

  @Test("layers without experts, and the bytes when they are known")
  func bytes() throws {
    let facts = ModelFacts(expertCounts: [0, 16, 16, 0, 0, 0], contextLength: 1024, outputUsesEmbedding: true)
    let topology = try decode(sampleText)
    let placement = try topology.place(facts)
    let sizes = ModelSizes(
      pieceBytes: { _ in 1_000_000 }, keyValueBytes: { _ in 1024 }, hiddenSize: 1, queryWidth: 1, expertWidth: 1,
      expertsPerToken: 1, vocabularySize: 1)
    let plan = MemoryPlan(
      placement: placement, facts: facts, sizes: sizes, context: 1024, sequences: 8, rows: 1)
    let text = TopologyDrawing(
      TopologyReport(topology: topology, placement: placement, facts: facts, context: 1024, memory: plan)
    ).text
    #expect(text.contains("stage 0  layers 0-2  host reef  16 experts in each of 2 layers\n"))
    #expect(text.contains("stage 1  layers 3-5  host cove  no routed experts\nv   next token\n"))
    #expect(
      text.contains("\nsound  192.168.1.12:7070  -                 12  12.0 MB         -  16.8 MB  28.8 MB       -\n"),
      "\(text)")
    #expect(
      text.contains("\nreef   local              0                  8  12.0 MB   25.2 MB  16.8 MB  54.0 MB       -\n"),
      "\(text)")
  }

  @Test("very many nodes with very long names stay within the width, side by side")
  func many() throws {
    let names = (0..<96).map { "a-node-with-a-really-long-name-in-a-rack-far-away-number-\($0)" }
    let nodes = names.enumerated().map {
      "\"\($1)\": {\"address\": \"some.host.of.a.large.domain.example:7\($0 + 100)\"}"
    }
    let shares = names.enumerated().map { "\"\($1)\": \"\(4 * $0)-\(4 * $0 + 3)\"" }
    let text = """
      {"model": "m.gguf", "nodes": {\(nodes.joined(separator: ","))}, "stages": [
      {"layers": "0-2", "host": "\(names[0])", "experts": {\(shares.joined(separator: ","))}},
      {"layers": "3-5", "host": "\(names[1])", "experts": {\(shares.joined(separator: ","))}}]}
      """
    let facts = ModelFacts(
      expertCounts: Array(repeating: 384, count: 6), contextLength: 1024, outputUsesEmbedding: true)
    let lines = TopologyDrawing(try report(text, facts)).text.split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= TopologyDrawing.width })
    #expect(!lines.contains { $0.hasPrefix("#") })
    #expect(lines.contains("|   held as in stage 0"))
    #expect(lines.count < 96 + 64)
  }
}

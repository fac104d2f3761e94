import Foundation
import Tensors
import Testing

@testable import Cluster

@Suite struct TopologyReportTests {
  @Test("says who holds what, which of it twice, and survives JSON")
  func contents() throws {
    let topology = try decode(sampleText)
    let report = TopologyReport(
      topology: topology, placement: try topology.place(sampleFacts), facts: sampleFacts, context: 1024)
    #expect(report.model == "models/tales.gguf" && report.layerCount == 6 && report.kv == "f32")
    #expect(report.stages.map(\.host) == ["reef", "cove"] && report.stages.map(\.expertLayerCount) == [3, 3])
    #expect(report.stages[1].holdings.map { "\($0.node) \($0.replicas)" } == ["reef 4-7", "cove ", "sound 4-7"])
    #expect(report.nodes.map(\.expertCount) == [36, 42, 30] && report.nodes.map(\.hostOf) == [[0], [1], []])
    #expect(report.nodes[1].memoryBytes == 512_000_000 && report.nodes[1].weightBytes == nil)
    let json = try JSONEncoder().encode(report)
    #expect(try JSONDecoder().decode(TopologyReport.self, from: json) == report)
  }
}

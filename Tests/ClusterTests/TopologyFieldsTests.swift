import Foundation
import Testing

@testable import Cluster

/// The schema for editors against the decoder.
@Suite struct TopologyFieldsTests {
  private func schema() throws -> [String: Any] {
    let data = Data(try Repository.bytes("docs/topology.schema.json"))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  private func keys(_ object: Any?) -> Set<String> {
    Set(((object as? [String: Any])?["properties"] as? [String: Any] ?? [:]).keys)
  }

  @Test("the schema knows the keys that the decoder knows, and no others")
  func schemaKeys() throws {
    let schema = try schema()
    let definitions = try #require(schema["$defs"] as? [String: Any])
    #expect(keys(schema) == Set(TopologyKey.allCases.map(\.rawValue)))
    #expect(keys(definitions["node"]) == Set(TopologyNodeKey.allCases.map(\.rawValue)))
    #expect(keys(definitions["stage"]) == Set(TopologyStageKey.allCases.map(\.rawValue)))
    for object in [schema] + definitions.values.compactMap({ $0 as? [String: Any] }) {
      #expect(object["additionalProperties"] as? Bool == false)
    }
  }

  @Test("the schema's limits and defaults are the decoder's")
  func schemaLimits() throws {
    let properties = try #require(try schema()["properties"] as? [String: [String: Any]])
    #expect(properties["sequences"]?["maximum"] as? Int == Topology.sequencesMax)
    #expect(properties["sequences"]?["default"] as? Int == Topology.sequencesDefault)
    #expect(properties["context"]?["maximum"] as? Int == Topology.contextMax)
    #expect(properties["nodes"]?["maxProperties"] as? Int == Topology.nodeCountMax)
    #expect(properties["kv"]?["enum"] as? [String] == ["f16", "f32", "q8_0"])
    #expect(properties["combine"]?["enum"] as? [String] == ["exact", "compact"])
    #expect(try schema()["required"] as? [String] == ["model", "nodes", "stages"])
  }
}

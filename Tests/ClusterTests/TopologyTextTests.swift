import Tensors
import Testing

@testable import Cluster

@Suite struct TopologyTextTests {
  @Test("what is written reads like a topology, with the values of the file")
  func text() throws {
    let topology = try decode(sampleText)
    #expect(
      TopologyText.write(topology, try topology.place(sampleFacts), sampleFacts) == """
        {
          "$schema": "docs/topology.schema.json",
          "model": "models/tales.gguf",
          "context": 1024,
          "sequences": 8,
          "kv": "f32",
          "combine": "compact",
          "nodes": {
            "reef": { "address": "local" },
            "cove": { "address": "local", "threads": 1, "memory": "512MB" },
            "sound": { "address": "192.168.1.12:7070", "advertise": "10.0.0.12" }
          },
          "stages": [
            { "layers": "0-2", "host": "reef", "experts": { "reef": "0-3", "cove": "4-9", "sound": "10-15" } },
            { "layers": "3-5", "host": "cove", "experts": { "reef": "0-7", "cove": "8-15", "sound": "4-7" } }
          ]
        }

        """)
  }

  @Test("decoded again it is the same topology, in the order of its stages")
  func again() throws {
    for text in [
      sampleText,
      """
      { "model": "a \\"b\\\\c\\u00e9.gguf", "$schema": "\\n\\u0001", "nodes": { "a": { "address": "[::1]:70" } },
        "stages": [ { "layers": "4-5", "host": "a" }, { "layers": "0-3", "host": "a", "experts": { "a": "0-15" } } ] }
      """,
    ] {
      let topology = try decode(text)
      let written = try decode(TopologyText.write(topology, topology.place(sampleFacts), sampleFacts))
      #expect(try written.place(sampleFacts) == topology.place(sampleFacts))
      #expect(written.schema == topology.schema && written.model.value == topology.model.value)
      #expect(written.context?.value == topology.context?.value)
      #expect(written.sequences.value == topology.sequences.value)
      #expect(written.keyValueType.value == topology.keyValueType.value)
      #expect(written.combine.value == topology.combine.value)
      #expect(written.nodes.map(\.name.value) == topology.nodes.map(\.name.value))
      #expect(written.nodes.map(\.address) == topology.nodes.map(\.address))
      #expect(written.nodes.map { $0.threads?.value } == topology.nodes.map { $0.threads?.value })
      #expect(written.nodes.map { $0.memoryBytes?.value } == topology.nodes.map { $0.memoryBytes?.value })
      #expect(written.nodes.map(\.advertise) == topology.nodes.map(\.advertise))
      #expect(written.stages.map(\.layers.value) == topology.stages.map(\.layers.value))
    }
  }

  @Test("layers without experts say nothing of experts")
  func dense() throws {
    let facts = ModelFacts(expertCounts: [0, 2], contextLength: 8, outputUsesEmbedding: false)
    let topology = try decode(
      """
      { "model": "m", "nodes": { "a": { "address": "local" } },
        "stages": [ { "layers": "0", "host": "a" }, { "layers": "1", "host": "a" } ] }
      """)
    let text = TopologyText.write(topology, try topology.place(facts), facts)
    #expect(text.contains("{ \"layers\": \"0\", \"host\": \"a\" },\n"))
    #expect(text.contains("{ \"layers\": \"1\", \"host\": \"a\", \"experts\": { \"a\": \"0-1\" } }\n"))
  }
}

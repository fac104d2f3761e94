import Tensors
import Testing

@testable import Cluster

/// The rules that need the model.
@Suite struct TopologyTests {
  private let mixed = ModelFacts(expertCounts: [0, 4, 16, 16, 0, 8], contextLength: 8192, outputUsesEmbedding: false)

  @Test("the sample's placement")
  func placed() throws {
    let placement = try decode(sampleText).place(sampleFacts, epoch: PlacementEpoch(rawValue: 7))
    #expect(placement.epoch == PlacementEpoch(rawValue: 7) && placement.nodes == ["reef", "cove", "sound"])
    let first = StagePlacement(
      layers: 0..<3, host: 0,
      experts: [holding(0, "0-3"), holding(1, "4-9"), holding(2, "10-15")])
    let second = StagePlacement(
      layers: 3..<6, host: 1, experts: [holding(0, "0-7"), holding(1, "8-15"), holding(2, "4-7")])
    #expect(placement.stages == [first, second])
    #expect(placement.problem(for: sampleFacts) == nil)
  }

  @Test("stages may stand in any order, and shares too")
  func anyOrder() throws {
    let lines = sampleText.split(separator: "\n")
    let swapped = (lines[..<10] + [lines[11] + ",", lines[10].dropLast()] + lines[12...]).joined(separator: "\n")
    #expect(try decode(swapped).place(sampleFacts) == decode(sampleText).place(sampleFacts))
    let shares = try sample("\"reef\": \"0-3\", \"cove\": \"4-9\"", "\"cove\": \"4-9\", \"reef\": \"0-3\"")
    #expect(try decode(shares).place(sampleFacts) == decode(sampleText).place(sampleFacts))
  }

  @Test("experts left out are all on the host; layers without experts are no special case")
  func hostHoldsAll() throws {
    let text = """
      {"model": "m", "nodes": {"a": {"address": "local"}, "b": {"address": "local"}}, "stages": [
      {"layers": "0", "host": "b", "experts": {"a": "0-3"}},
      {"layers": "1-4", "host": "a"},
      {"layers": "5", "host": "b", "experts": {"a": "0-7", "b": "0-7"}}]}
      """
    let topology = try decode(text)
    let placement = try topology.place(mixed)
    #expect(placement.stages[0].experts.isEmpty)
    #expect(placement.stages[1].experts == [holding(0, "0-15")])
    #expect(placement.holders(of: 3, stage: 2) == [0, 1])
    #expect(placement.problem(for: mixed) == nil)
    let warning = try #require(topology.warnings(mixed).first)
    #expect(warning.description.hasPrefix("topology.json:2:41: warning: stage 0 (layer 0) has no routed experts"))
  }

  @Test(
    "layers in no stage, in two, or not in the model",
    arguments: [
      ("3-5", "4-5", 12, "layer 3 is in no stage: stage 1 (layers 4-5) is the first behind the gap and stage 0"),
      ("0-2", "1-2", 11, "layer 0 is in no stage: stage 0 (layers 1-2) is the first behind the gap; every"),
      ("3-5", "3", 12, "layers 4-5 are in no stage: stage 1 (layer 3) is the last"),
      ("3-5", "2-5", 12, "layer 2 is in stage 1 (layers 2-5) and in stage 0 (layers 0-2, line 11)"),
      ("3-5", "0-5", 12, "layer 0 is in stage 1 (layers 0-5) and in stage 0 (layers 0-2, line 11)"),
      ("0-2", "0-5", 12, "layer 3 is in stage 1 (layers 3-5) and in stage 0 (layers 0-5, line 11)"),
      ("3-5", "3-6", 12, "stage 1 (layers 3-6): the model has layers 0-5 only"),
    ])
  func layers(_ old: String, _ new: String, _ line: Int, _ words: String) throws {
    let error = try #require(try placingError(sample("\"layers\": \"\(old)\"", "\"layers\": \"\(new)\"")))
    #expect(error.position == SourcePosition(line: line, column: 17), "\(error)")
    #expect(error.code == .contradiction && error.message.hasPrefix(words), "\(error)")
  }

  @Test("an overlap is named at the stage that stands later in the file")
  func overlapOutOfOrder() throws {
    let text = """
      {"model": "m", "nodes": {"a": {"address": "local"}}, "stages": [
      {"layers": "3-5", "host": "a"},
      {"layers": "0-3", "host": "a"}]}
      """
    let error = try #require(try placingError(text))
    #expect(error.line == 3, "\(error)")
    #expect(
      error.message.hasPrefix("layer 3 is in stage 1 (layers 0-3) and in stage 0 (layers 3-5, line 2)"), "\(error)")
  }

  @Test(
    "experts on no node, or that do not exist",
    arguments: [
      ("\"4-9\"", "\"4-8\"", 11, 51, "stage 0 (layers 0-2): expert 9 is on no node; add it to one node's set"),
      ("\"8-15\"", "\"9-13\"", 12, 51, "stage 1 (layers 3-5): experts 8,14-15 are on no node; add them"),
      ("\"10-15\"", "\"10-16\"", 11, 92, "stage 0 (layers 0-2): \"sound\" is to hold expert 16"),
      ("\"10-15\"", "\"10-15,40\"", 11, 92, "stage 0 (layers 0-2): \"sound\" is to hold expert 40"),
    ])
  func experts(_ old: String, _ new: String, _ line: Int, _ column: Int, _ words: String) throws {
    let error = try #require(try placingError(sample(old, new)))
    #expect(error.position == SourcePosition(line: line, column: column), "\(error)")
    #expect(error.code == .contradiction && error.message.hasPrefix(words), "\(error)")
  }

  @Test("the context: as written, else the smaller of the model's and 4096, never more than the model's")
  func context() throws {
    let longer = ModelFacts(expertCounts: sampleFacts.expertCounts, contextLength: 32_768, outputUsesEmbedding: true)
    let without = try decode(sample("\"context\": 1024, ", ""))
    #expect(try without.contextLength(for: longer) == 4096 && without.contextLength(for: sampleFacts) == 1024)
    #expect(try decode(sampleText).contextLength(for: longer) == 1024)
    let error = try #require(try placingError(sample("\"context\": 1024", "\"context\": 1025")))
    #expect(error.description.hasPrefix("topology.json:4:14: \"context\" is 1025, but the model was made for 1024"))
  }

  @Test("warnings: spares, and threads of workers that are not started from here")
  func warnings() throws {
    let text = """
      {"model": "m", "nodes": {
      "a": {"address": "local"},
      "b": {"address": "b:1", "threads": 2},
      "c": {"address": "local", "threads": 2}}, "stages": [{"layers": "0-5", "host": "a", "experts": {"c": "0-15"}}]}
      """
    let warnings = try decode(text).warnings()
    #expect(warnings.map(\.position.line) == [3, 3])
    #expect(warnings[0].message == "node \"b\" holds nothing; it is a spare")
    #expect(warnings[1].message.contains("threads"))
    #expect(try decode(sampleText).warnings(sampleFacts).isEmpty)
  }

  private func holding(_ node: NodeIndex, _ experts: String) -> ExpertHolding {
    ExpertHolding(node: node, experts: ExpertSet(parsing: experts) ?? .empty)
  }
}

import Tensors
import Testing

@testable import Cluster

@Suite struct TopologyDecoderTests {
  @Test("the sample is read whole, nodes and stages in file order")
  func sampleIsRead() throws {
    let topology = try decode(sampleText)
    #expect(topology.schema == "docs/topology.schema.json" && topology.model.value == "models/tales.gguf")
    #expect(topology.context?.value == 1024 && topology.context?.position == SourcePosition(line: 4, column: 14))
    #expect(topology.sequences.value == 8 && topology.keyValueType.value == .f32)
    #expect(topology.combine.value == .compact)
    #expect(topology.nodes.map(\.name.value) == ["reef", "cove", "sound"])
    #expect(topology.nodes.map(\.address) == [.local, .local, .remote("192.168.1.12:7070")])
    #expect(topology.nodes[1].threads?.value == 1 && topology.nodes[1].memoryBytes?.value == 512_000_000)
    #expect(topology.nodes[2].advertise == "10.0.0.12" && topology.nodes[0].memoryBytes == nil)
    #expect(topology.stages.map(\.layers.value) == [0..<3, 3..<6])
    #expect(topology.stages[1].host.value == "cove")
    #expect(topology.stages[1].experts?.value.map { "\($0.experts.value)" } == ["0-7", "8-15", "4-7"])
  }

  @Test("defaults")
  func defaults() throws {
    let topology = try decode(
      #"{"model":"m.gguf","nodes":{"a":{"address":"local"},"b":{"address":"local","threads":3}},"#
        + #""stages":[{"layers":"3","host":"a"}]}"#)
    #expect(topology.schema == nil && topology.context == nil && topology.sequences.value == 4)
    #expect(topology.keyValueType.value == .f16 && topology.combine.value == .exact)
    #expect(topology.stages[0].layers.value == 3..<4 && topology.stages[0].experts == nil)
    #expect(topology.threadCount(of: topology.nodes[0], cores: 5) == 2)
    #expect(topology.threadCount(of: topology.nodes[0], cores: 1) == 1)
    #expect(topology.threadCount(of: topology.nodes[1], cores: 1) == 3)
  }

  @Test("the model's path counts from the topology file")
  func modelPath() throws {
    let bytes = Array(sampleText.utf8)
    #expect(try Topology(decoding: bytes, file: "/etc/shoal/t.json").modelPath == "/etc/shoal/models/tales.gguf")
    #expect(try Topology(decoding: bytes, file: "t.json").modelPath == "models/tales.gguf")
    let absolute = try sample("models/tales.gguf", "/srv/tales.gguf")
    #expect(try Topology(decoding: Array(absolute.utf8), file: "a/t.json").modelPath == "/srv/tales.gguf")
  }

  /// What is replaced in the sample, by what, and the line, column and words of the error.
  struct Rule: Sendable, CustomTestStringConvertible {
    let old: String
    let new: String
    let line: Int
    let column: Int
    let words: String
    var testDescription: String { "\(new): \(words)" }
    init(_ old: String, _ new: String, _ line: Int, _ column: Int, _ words: String) {
      (self.old, self.new, self.line, self.column, self.words) = (old, new, line, column, words)
    }
  }

  private func check(_ rule: Rule) throws {
    let error = try #require(decodingError(try sample(rule.old, rule.new)), "accepted")
    #expect(error.position == SourcePosition(line: rule.line, column: rule.column), "\(error)")
    #expect(error.message.contains(rule.words) && error.code == .value, "\(error)")
  }

  @Test(
    "wrong at the top",
    arguments: [
      Rule(
        "\"context\": 1024", "\"kontext\": 1", 4, 3, "unknown key \"kontext\"; known here are $schema, model, context"),
      Rule("\"context\": 1024", "\"context\": 0", 4, 14, "\"context\" is 0; it must be from 1"),
      Rule("\"context\": 1024", "\"context\": -5", 4, 14, "is -5"),
      Rule("\"context\": 1024", "\"context\": \"1\"", 4, 14, "must be a whole number, not a string"),
      Rule("\"context\": 1024", "\"context\": 1e3", 4, 14, "without point and exponent"),
      Rule("\"context\": 1024", "\"context\": null", 4, 14, "not null"),
      Rule("\"context\": 1024", "\"context\": 9999999999", 4, 14, "must be from 1 to 1073741824"),
      Rule("\"sequences\": 8", "\"sequences\": 0", 4, 33, "from 1 to 1024"),
      Rule("\"sequences\": 8", "\"sequences\": 1025", 4, 33, "from 1 to 1024"),
      Rule("\"sequences\": 8", "\"sequences\": true", 4, 33, "not true or false"),
      Rule("\"f32\"", "\"q4_0\"", 4, 42, "\"kv\" is \"q4_0\"; it must be \"f16\" or \"f32\" or \"q8_0\""),
      Rule("\"compact\"", "\"sum\"", 4, 60, "it must be \"exact\" or \"compact\""),
      Rule("\"compact\"", "[]", 4, 60, "must be a string, not a list"),
      Rule("\"models/tales.gguf\"", "\"\"", 3, 12, "path of a GGUF file"),
      Rule("\"models/tales.gguf\"", "\"a\\u0000b\"", 3, 12, "path of a GGUF file"),
      Rule("\"models/tales.gguf\"", "{}", 3, 12, "must be a string, not an object"),
      Rule("\"docs/topology.schema.json\"", "7", 2, 14, "must be a string, not a number"),
      Rule("\"model\": \"models/tales.gguf\",", "", 1, 1, "\"model\" is missing"),
    ])
  func top(_ rule: Rule) throws { try check(rule) }

  @Test(
    "wrong in a node",
    arguments: [
      Rule("\"reef\":  { \"address\": \"local\" }", "\"reef\": { }", 6, 13, "node \"reef\": \"address\" is missing"),
      Rule("\"reef\":  { \"address\": \"local\" }", "\"reef\": \"local\"", 6, 13, "must be an object, not a string"),
      Rule("\"reef\":  {", "\"re ef\":  {", 6, 5, "\"re ef\" cannot name a node"),
      Rule("\"reef\":  {", "\"\":  {", 6, 5, "cannot name a node"),
      Rule("\"reef\":  {", "\"rééf\":  {", 6, 5, "cannot name a node"),
      Rule("\"reef\":  {", "\"\(String(repeating: "r", count: 65))\":  {", 6, 5, "1 to 64"),
      Rule("\"threads\": 1", "\"cores\": 1", 7, 36, "unknown key \"cores\"; known here are address, threads, memory"),
      Rule("\"threads\": 1", "\"threads\": 0", 7, 47, "from 1 to 1024"),
      Rule("\"threads\": 1", "\"threads\": 1.0", 7, 47, "whole number"),
      Rule("\"512MB\"", "512", 7, 60, "must be a string, not a number"),
      Rule("\"512MB\"", "\"512\"", 7, 60, "write a number and a unit"),
      Rule("\"512MB\"", "\"0MB\"", 7, 60, "write a number and a unit"),
      Rule("192.168.1.12:7070", "192.168.1.12", 8, 27, "HOST:PORT"),
      Rule("192.168.1.12:7070", "192.168.1.12:0", 8, 27, "port of 1 to 65535"),
      Rule("\"10.0.0.12\"", "\"10.0.0.12:x\"", 8, 61, "must be HOST or HOST:PORT"),
      Rule("\"cove\":  {", "\"reef\":  {", 7, 5, "stands twice"),
    ])
  func node(_ rule: Rule) throws {
    if rule.words == "stands twice" {
      #expect(decodingError(try sample(rule.old, rule.new))?.description.hasPrefix("topology.json:7:5:") == true)
    } else {
      try check(rule)
    }
  }

  @Test(
    "wrong in a stage",
    arguments: [
      Rule(
        "\"layers\": \"0-2\"", "\"layer\": \"0-2\"", 11, 7,
        "stage 0: unknown key \"layer\"; known here are layers, host"),
      Rule("\"layers\": \"0-2\", ", "", 11, 5, "stage 0: \"layers\" is missing"),
      Rule("\"host\": \"reef\", ", "", 11, 5, "stage 0: \"host\" is missing"),
      Rule("\"0-2\"", "2", 11, 17, "must be a string, not a number"),
      Rule("\"0-2\"", "\"2-0\"", 11, 17, "runs backwards"),
      Rule("\"0-2\"", "\"0,2\"", 11, 17, "not a number or a range"),
      Rule("\"0-2\"", "\"0-70000\"", 11, 17, "too large"),
      Rule(
        "\"host\": \"reef\"", "\"host\": \"rief\"", 11, 32,
        "host \"rief\" is not in \"nodes\"; there are reef, cove, sound"),
      Rule("\"host\": \"reef\"", "\"host\": 0", 11, 32, "must be a string"),
      Rule("\"reef\": \"0-7\"", "\"rief\": \"0-7\"", 12, 53, "stage 1: node \"rief\" is not in \"nodes\""),
      Rule("\"reef\": \"0-7\"", "\"reef\": \"\"", 12, 61, "a number is missing"),
      Rule("\"reef\": \"0-7\"", "\"reef\": 7", 12, 61, "must be a string, not a number"),
      Rule("\"reef\": \"0-7\"", "\"reef\": \"7-0\"", 12, 61, "runs backwards"),
      Rule("{ \"reef\": \"0-7\", \"cove\": \"8-15\", \"sound\": \"4-7\" }", "{}", 12, 51, "leave the key out"),
      Rule("{ \"reef\": \"0-7\", \"cove\": \"8-15\", \"sound\": \"4-7\" }", "\"0-15\"", 12, 51, "must be an object"),
    ])
  func stage(_ rule: Rule) throws { try check(rule) }

  @Test("no nodes, no stages, and a planner that does not exist yet")
  func empty() throws {
    let head = "{\"model\": \"m\",\n"
    #expect(decodingError(head + "\"nodes\": {}, \"stages\": []}")?.position == SourcePosition(line: 2, column: 10))
    #expect(decodingError(head + "\"nodes\": [], \"stages\": []}")?.message.contains("not a list") == true)
    let nodes = head + "\"nodes\": {\"a\": {\"address\": \"local\"}},\n"
    #expect(decodingError(nodes + "\"stages\": []}")?.position == SourcePosition(line: 3, column: 11))
    let auto = try #require(decodingError(nodes + "\"stages\": \"auto\"}"))
    #expect(auto.position == SourcePosition(line: 3, column: 11))
    #expect(auto.message.contains("planner that does not exist yet"))
    #expect(decodingError(nodes + "\"stages\": \"manual\"}")?.message.contains("must be a list") == true)
    #expect(decodingError("[]")?.message == "the topology must be an object, not a list")
  }

  @Test("two nodes cannot be one worker")
  func sameAddress() throws {
    let text = try sample("\"reef\":  { \"address\": \"local\" }", "\"reef\":  { \"address\": \"192.168.1.12:7070\" }")
    let error = try #require(decodingError(text))
    #expect(error.line == 8 && error.message.contains("address of node \"reef\" (line 6)"))
  }

  @Test("an error reads as file, line, column and sentence")
  func description() throws {
    let error = try #require(decodingError(try sample("\"512MB\"", "\"half\"")))
    #expect(
      error.description == "topology.json:7:60: node \"cove\": \"memory\" is \"half\"; write a number and a unit, as "
        + "\"512MB\", \"1.5GB\" or \"2GiB\"")
  }

  @Test("what a file says appears in messages without control characters, and cut")
  func quoting() throws {
    let steering = try #require(decodingError(try sample("\"512MB\"", #""a\u001B[31m\n""#)))
    #expect(steering.description.contains(#""memory" is "a\u{1B}[31m\n";"#))
    let long = try #require(decodingError(try sample("\"512MB\"", "\"" + String(repeating: "x", count: 500) + "\"")))
    #expect(long.description.contains("is \"" + String(repeating: "x", count: 80) + "\"...;"))
  }
}

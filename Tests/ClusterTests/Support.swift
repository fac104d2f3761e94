import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing

@testable import Cluster

/// Files of the repository.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: root.appendingPathComponent(path))) }

  static func demoSpec() throws -> ModelSpec {
    try ModelSpec(file: GGUFFile.open(root.appendingPathComponent("cluster/models/fairytales-moe-Q4_K_M.gguf").path))
  }
}

/// Reproducible random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// The topology of the design, with every key.
let sampleText = """
  {
    "$schema": "docs/topology.schema.json",
    "model": "models/tales.gguf",
    "context": 1024, "sequences": 8, "kv": "f32", "combine": "compact",
    "nodes": {
      "reef":  { "address": "local" },
      "cove":  { "address": "local", "threads": 1, "memory": "512MB" },
      "sound": { "address": "192.168.1.12:7070", "advertise": "10.0.0.12" }
    },
    "stages": [
      { "layers": "0-2", "host": "reef", "experts": { "reef": "0-3", "cove": "4-9", "sound": "10-15" } },
      { "layers": "3-5", "host": "cove", "experts": { "reef": "0-7", "cove": "8-15", "sound": "4-7" } }
    ]
  }
  """

/// Six layers with sixteen experts each, as the embedded model has them.
let sampleFacts = ModelFacts(
  expertCounts: Array(repeating: 16, count: 6), contextLength: 1024, outputUsesEmbedding: true)

func decode(_ text: String) throws(TopologyError) -> Topology { try Topology(decoding: Array(text.utf8)) }

/// The error of decoding a text; nil if it is accepted.
func decodingError(_ text: String) -> TopologyError? { decodingError(Array(text.utf8)) }

func decodingError(_ bytes: [UInt8]) -> TopologyError? {
  do throws(TopologyError) {
    _ = try Topology(decoding: bytes)
    return nil
  } catch {
    return error
  }
}

/// The error of placing a text's topology, which must decode.
func placingError(_ text: String, _ facts: ModelFacts = sampleFacts) throws -> TopologyError? {
  let topology = try decode(text)
  do throws(TopologyError) {
    _ = try topology.place(facts)
    return nil
  } catch {
    return error
  }
}

/// Replaces a part of the sample that stands in it once.
func sample(_ old: String, _ new: String) throws -> String {
  try #require(sampleText.components(separatedBy: old).count == 2, "\(old) does not stand once in the sample")
  return sampleText.replacingOccurrences(of: old, with: new)
}

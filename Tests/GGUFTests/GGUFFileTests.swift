import Foundation
import GGUF
import Tensors
import Testing

@Suite struct GGUFFileTests {
  struct Golden: Decodable {
    struct File: Decodable {
      let file: String
      let bytes: Int
      let tensor_types: [String: Int]
    }
    let files: [String: File]
  }

  @Test("the fixtures hold the tensors that their golden files list", arguments: ["qwen3moe-s", "qwen3moe-k"])
  func fixtures(model: String) throws {
    let golden = try JSONDecoder().decode(Golden.self, from: Data(try Fixtures.bytes("\(model)/golden.json")))
    #expect(!golden.files.isEmpty)
    for expected in golden.files.values {
      let file = try GGUFFile.open(Fixtures.path("\(model)/\(expected.file)"))
      #expect(file.headers.count == 1)
      #expect(file.byteCount == expected.bytes)
      let types = Dictionary(grouping: file.tensors, by: \.type.name).mapValues(\.count)
      #expect(types == expected.tensor_types)
      #expect(try file.metadata.string("general.architecture") == "qwen3moe")
      #expect(try file.metadata.integer("qwen3moe.expert_count", in: 1...1024) == 8)
    }
  }
}

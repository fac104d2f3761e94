import Foundation
import GGUF
import Tensors
import Testing

@Suite struct GGUFFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

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

  @Test("every tensor's data lies where the file has it, and nothing lies between but padding")
  func places() throws {
    let file = try GGUFFile.open(Fixtures.path("qwen3moe-k/qwen3moe-k-Q4_K_M.gguf"))
    var end = file.headers[0].bytes.count
    for tensor in file.tensors.sorted(by: { $0.offset < $1.offset }) {
      #expect(tensor.offset % 32 == 0)
      #expect((0..<32).contains(tensor.offset - end))
      #expect(tensor.byteCount == tensor.elementCount / tensor.type.blockElements * tensor.type.blockBytes)
      #expect(file.tensor(tensor.name) == tensor)
      end = tensor.offset + tensor.byteCount
    }
    #expect((0..<32).contains(file.byteCount - end))
    #expect(file.tensor("blk.0.no_such") == nil)
    let output = try #require(file.tensor("output.weight"))
    #expect(output.type == .q6_K && output.dimensions == [256, 768])
  }

  @Test("a file with a vocabulary and no tensors")
  func vocabulary() throws {
    let file = try GGUFFile.open(Fixtures.path("tokenizers/qwen2/qwen2-vocab.gguf"))
    #expect(file.tensors.isEmpty)
    #expect(file.headers[0].bytes.count == file.byteCount)
    let tokens = try file.metadata.strings("tokenizer.ggml.tokens")
    #expect(tokens.count == 2048 && tokens.first == "!")
    #expect(try file.metadata.integersIfPresent("tokenizer.ggml.token_type")?.count == 2048)
    #expect(try GGUFFile(headers: file.headers).metadata.strings("tokenizer.ggml.tokens") == tokens)
  }

  @Test("the model that ships with the project opens")
  func shippedModel() throws {
    let root = Fixtures.folder.deletingLastPathComponent().deletingLastPathComponent()
    let file = try GGUFFile.open(root.appendingPathComponent("cluster/models/fairytales-moe-Q4_K_M.gguf").path)
    #expect(!file.tensors.isEmpty)
    #expect(file.paths.count == 1)
  }

  @Test("headers alone give the same model as the files")
  func headersAlone() throws {
    let file = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q8_0.gguf"))
    let header = GGUFHeader(path: "", fileByteCount: file.byteCount, bytes: file.headers[0].bytes)
    let copy = try GGUFFile(headers: [header])
    #expect(copy.tensors == file.tensors)
    #expect(copy.metadata.keys == file.metadata.keys)
    for key in file.metadata.keys { #expect(copy.metadata[key] == file.metadata[key]) }
    #expect(copy.paths == [""])
  }

  @Test("headers that do not match their stated size are refused")
  func headerSizes() throws {
    let file = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q8_0.gguf"))
    let bytes = file.headers[0].bytes
    #expect(refusal(bytes, fileByteCount: bytes.count - 1)?.code == .badValue)
    #expect(refusal(bytes, fileByteCount: -1)?.code == .badValue)
    #expect(refusal(bytes, fileByteCount: bytes.count)?.code == .badTensor)
    #expect(refusal(bytes + [0], fileByteCount: file.byteCount)?.code == .badValue)
    #expect(failure { () throws(GGUFError) in try GGUFFile(headers: []) }?.code == .splitMismatch)
  }

  @Test("the experts of a stacked tensor follow each other and fill it")
  func expertRanges() throws {
    let file = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q4_0.gguf"))
    let tensor = try #require(file.tensor("blk.1.ffn_down_exps.weight"))
    let ranges = try (0..<8).map { try file.expertRange(tensor, expert: ExpertIndex($0), of: 8) }
    #expect(ranges[0].offset == tensor.offset)
    for (left, right) in zip(ranges, ranges.dropFirst()) {
      #expect(right.offset == left.offset + left.byteCount)
      #expect(right.file == tensor.file)
    }
    #expect(ranges.map(\.byteCount).reduce(0, +) == tensor.byteCount)
    let reader = try GGUFDataReader(paths: file.paths)
    #expect(try ranges.flatMap { try reader.bytes($0) } == reader.bytes(tensor.byteRange))
  }

  @Test("experts that are not there are refused, and so are tensors without experts")
  func wrongExperts() throws {
    let file = try GGUFFile.open(Fixtures.path("qwen3moe-s/qwen3moe-s-Q4_0.gguf"))
    let tensor = try #require(file.tensor("blk.1.ffn_down_exps.weight"))
    let output = try #require(file.tensor("output.weight"))
    for index in [-1, 8, Int.max, Int.min] {
      let error = failure { () throws(GGUFError) in try file.expertRange(tensor, expert: ExpertIndex(index), of: 8) }
      #expect(error?.code == .badTensor)
      #expect(error?.message.contains("blk.1.ffn_down_exps.weight") == true)
    }
    for count in [7, 9, 0, -8, Int.min] {
      let error = failure { () throws(GGUFError) in try file.expertRange(tensor, expert: 0, of: count) }
      #expect(error?.code == .badTensor)
    }
    #expect(failure { () throws(GGUFError) in try file.expertRange(output, expert: 0, of: 8) }?.code == .badTensor)
  }

  @Test("a stack of one expert may lack its last dimension")
  func oneExpert() throws {
    var writer = GGUFWriter()
    try writer.add("blk.0.ffn_up_exps.weight", .f32, dimensions: [4, 2], bytes: pattern(32))
    try writer.write(to: folder.path("one.gguf"))
    let file = try GGUFFile.open(folder.path("one.gguf"))
    #expect(try file.expertRange(file.tensors[0], expert: 0, of: 1) == file.tensors[0].byteRange)
  }

  @Test("of a model of a terabyte only the header is read")
  func terabyte() throws {
    var raw = RawHeader(tensors: 2, keys: 1)
    raw.key("general.name", .string)
    raw.string(String(repeating: "n", count: 600_000))
    raw.tensor("half.weight", [1 << 20, 1 << 17], offset: 0)
    raw.tensor("other.weight", [1 << 20, 1 << 17], offset: 1 << 39)
    raw.finish()
    let path = try folder.write(raw.bytes, to: "large.gguf")
    try folder.cut(path, to: raw.bytes.count + 1 << 40)
    let before = try bytesRead()
    let file = try GGUFFile.open(path)
    let read = try bytesRead() - before
    #expect(file.headers[0].bytes == raw.bytes)
    #expect(file.tensors.map(\.byteCount) == [1 << 39, 1 << 39])
    #expect(file.byteCount == raw.bytes.count + 1 << 40)
    // Other tests read at the same time; all fixtures together are below this.
    #expect(read < 1 << 30)
  }

  private func bytesRead() throws -> Int {
    let lines = try String(contentsOfFile: "/proc/self/io", encoding: .utf8).split(separator: "\n")
    let line = try #require(lines.first { $0.hasPrefix("rchar:") })
    return try #require(Int(line.dropFirst("rchar: ".count)))
  }
}

import Foundation
import Testing

extension CommandLineTests {
  @Suite("bad input")
  struct BadInputTests {
    /// A command line that must fail.
    struct Case: CustomTestStringConvertible {
      let arguments: [String]
      let status: Int32
      /// What the message must say.
      let says: String

      init(_ arguments: [String], _ status: Int32, _ says: String) {
        (self.arguments, self.status, self.says) = (arguments, status, says)
      }

      var testDescription: String { arguments.joined(separator: " ").prefix(100) + " -> \(status)" }
    }

    private static func check(_ arguments: [String], _ status: Int32, _ says: String) throws {
      let outcome = try RunningShoal.run(arguments)
      #expect(outcome.status == status, "\(outcome.errors)")
      #expect(outcome.errors.contains(says), "\(outcome.errors)")
      #expect(outcome.output.isEmpty)
    }

    @Test(
      "options and prompts",
      arguments: [
        Case(["frobnicate"], 64, "frobnicate"),
        Case(["generate"], 64, "prompts or --tokens"),
        Case(["generate", "x", "--tokens", "1"], 64, "prompts or --tokens"),
        Case(["generate", ""], 64, "no tokens"),
        Case(["generate", "--tokens", ""], 64, "--tokens"),
        Case(["generate", "--tokens", "1,,2"], 64, "--tokens"),
        Case(["generate", "--tokens", "-1"], 64, "--tokens"),
        Case(["generate", "--tokens", "4294967296"], 64, "--tokens"),
        Case(["generate", "--tokens", "1,2048"], 64, "2048"),
        Case(["generate", "--tokens", "4294967295"], 64, "4294967295"),
        Case(["generate", String(repeating: "word ", count: 2000)], 65, "context of 1024"),
        Case(["generate", "x", "--temperature", "nan"], 64, "temperature"),
        Case(["generate", "x", "--temperature=-1"], 64, "temperature"),
        Case(["generate", "x", "--top-p", "2"], 64, "topP"),
        Case(["generate", "x", "--repeat-penalty", "0"], 64, "repeatPenalty"),
        Case(["generate", "x", "--max-tokens", "0"], 64, "--max-tokens"),
        Case(["generate", "x", "--threads", "0"], 64, "--threads"),
        Case(["generate", "x", "--prefill-chunk", "0"], 64, "--prefill-chunk"),
        Case(["generate", "x", "--context", "5000"], 64, "1024"),
        Case(["generate", "x", "--kv", "q4_0"], 64, "'f16', 'f32'"),
        Case(["generate", "x", "--kernels", "neon"], 64, "neon"),
        Case(["generate", "x", "--coordinator", "127.0.0.1:1", "--model", "m.gguf"], 64, "--model"),
        Case(["generate", "x", "--coordinator", "127.0.0.1:1", "--threads", "2"], 64, "--threads"),
        Case(["generate", "x", "--coordinator", "127.0.0.1:1", "--kv", "f32"], 64, "--kv"),
        Case(["generate", "x", "--coordinator", "nowhere"], 64, "HOST:PORT"),
        Case(["serve", "--topology", "none"], 64, "topology"),
        Case(["serve", "--listen", "127.0.0.1:99999"], 64, "HOST:PORT"),
        Case(["worker", "--listen", "here"], 64, "HOST:PORT"),
        Case(["worker", "--listen", "0.0.0.0:0"], 64, "--insecure"),
        Case(["worker", "--listen", "127.example.org:0"], 64, "--insecure"),
        Case(["serve", "--listen", "[::]:0"], 64, "--insecure"),
        Case(["worker", "--memory", "much"], 64, "--memory"),
        Case(["logits", "--tokens", "1,2", "--last", "3", "--out", "-"], 64, "--last"),
        Case(["logits", "--tokens", "1,2", "--out", "/nonexistent/file"], 73, "/nonexistent/file"),
        Case(["perplexity", "--file", "/nonexistent/file"], 66, "/nonexistent/file"),
        Case(["tokenize", "--model", "/nonexistent/file", "x"], 66, "/nonexistent/file"),
      ])
    func options(_ bad: Case) throws { try Self.check(bad.arguments, bad.status, bad.says) }

    @Test("without a topology in the working folder it says what to give")
    func noTopology() throws {
      let outcome = try RunningShoal.run(["generate", "x"], in: Workshop.folder("nothing-here"))
      #expect(outcome.status == 66)
      #expect(outcome.errors.contains("topology.json") && outcome.errors.contains("--model"), "\(outcome.errors)")
    }

    @Test("a model file that is missing, empty, a folder, or something else")
    func noModel() throws {
      let empty = try Workshop.file("empty.gguf", Data()).path
      let text = try Workshop.file("text.gguf", Data("once upon a time".utf8)).path
      for (path, status) in [("/nonexistent.gguf", 66), ("/", 66), (empty, 65), (text, 65)] as [(String, Int32)] {
        try Self.check(["generate", "x", "--model", path], status, path)
        try Self.check(["logits", "--tokens", "1", "--out", "-", "--model", path], status, path)
      }
    }

    @Test("a model file cut off anywhere")
    func truncatedModel() throws {
      let bytes = try Data(contentsOf: Workshop.model)
      let headerEnd = 69_000
      let cuts = [1, 4, 7, 8, 16, 23, 24, 25, 40, 100, 1000, 4097, 30_000, 65_000, headerEnd, 70_000, bytes.count - 1]
      for count in cuts {
        let file = try Workshop.file("truncated.gguf", bytes.prefix(count)).path
        try Self.check(["logits", "--tokens", "1", "--out", "-", "--model", file], 65, file)
      }
    }

    @Test("a tensor outside the file, an unknown family, an unsupported type: named, with what is supported")
    func damagedModel() throws {
      let original = try Data(contentsOf: Workshop.model)
      func check(_ name: String, _ says: [String], _ damage: (inout Data) throws -> Void) throws {
        var bytes = original
        try damage(&bytes)
        let file = try Workshop.file(name, bytes).path
        let outcome = try RunningShoal.run(["generate", "x", "--model", file])
        #expect(outcome.status == 65, "\(outcome.errors)")
        for part in says { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
      }
      /// Where the fields behind a tensor's name begin.
      func tensor(_ name: String, _ bytes: Data) throws -> Int {
        try #require(bytes.range(of: Data(name.utf8))).upperBound
      }
      let name = "blk.3.ffn_gate_exps.weight"
      // Behind the name: u32 dimensions, three u64 of them, u32 type, u64 offset.
      try check("outside.gguf", [name, "outside"]) { bytes in
        let start = try tensor(name, bytes) + 4 + 24 + 4
        bytes.replaceSubrange(start..<start + 8, with: withUnsafeBytes(of: UInt64(1) << 40) { Data($0) })
      }
      try check("type.gguf", [name, "Q4_K"]) { bytes in
        let start = try tensor(name, bytes) + 4 + 24
        bytes.replaceSubrange(start..<start + 4, with: withUnsafeBytes(of: UInt32(16)) { Data($0) })
      }
      try check("type-number.gguf", [name]) { bytes in
        let start = try tensor(name, bytes) + 4 + 24
        bytes.replaceSubrange(start..<start + 4, with: withUnsafeBytes(of: UInt32(4_000)) { Data($0) })
      }
      try check("family.gguf", ["qwen9moe", "qwen3moe"]) { bytes in
        let range = try #require(bytes.range(of: Data("qwen3moe".utf8)))
        bytes.replaceSubrange(range, with: Data("qwen9moe".utf8))
      }
    }

    @Test("a busy port")
    func busyPort() throws {
      let worker = try RunningShoal(["worker", "--listen", "127.0.0.1:0"])
      let address = try worker.waitForAddress()
      try Self.check(["worker", "--listen", address], 69, address)
      try Self.check(["serve", "--listen", address], 69, address)
      worker.send(SIGINT)
      #expect(try worker.finish().status == 0)
    }
  }
}

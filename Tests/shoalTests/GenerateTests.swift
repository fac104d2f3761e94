import Foundation
import Testing

extension CommandLineTests {
  @Suite("generate")
  struct GenerateTests {
    @Test("the topology of the working folder is brought up; only the answer stands on standard output")
    func defaultTopology() throws {
      let outcome = try RunningShoal.run(
        ["generate", "Once upon a time there was a king who", "--max-tokens", "16", "--seed", "7"],
        environment: ["XDG_CACHE_HOME": Workshop.folder("fresh-cache").path])
      #expect(outcome.status == 0)
      #expect(outcome.text.count > 20)
      #expect(outcome.text.hasSuffix("\n"))
      #expect(!outcome.text.contains("shoal"))
      // One line, and no progress bar, as standard error is no terminal.
      #expect(outcome.errors.split(separator: "\n").count == 1)
      #expect(!outcome.errors.contains("\r") && !outcome.errors.contains("\u{1B}"))
      let summary =
        #/^shoal: 16 tokens .* tokens/s, .*3 nodes, 2 stages, .* on the wire \(.* round trips a token\), .*seed 7$/#
      #expect(try summary.firstMatch(in: outcome.errors.trimmingCharacters(in: .newlines)) != nil, "\(outcome.errors)")
    }

    @Test("--json gives prompt, tokens, text, reason, timing, seed and the wire's figures of the whole cluster")
    func json() throws {
      let answer = try #require(
        try RunningShoal.generate(
          ["--tokens", "1,2,3", "--max-tokens", "24", "--temperature", "0", "--ignore-eos", "--seed", "9"]
        ).first)
      #expect(answer.promptTokens == [1, 2, 3])
      #expect(answer.tokens.count == 24)
      #expect(!answer.text.isEmpty)
      #expect(answer.stopReason == "length")
      #expect(answer.seed == 9)
      #expect(answer.timing.decodeSeconds > 0)
      #expect(Set(answer.wire.nodes.keys) == ["coordinator", "reef", "cove", "sound"])
      #expect(answer.wire.bytes == answer.wire.nodes.values.map(\.bytes).reduce(0, +))
      #expect(answer.wire.frames == answer.wire.nodes.values.map(\.frames).reduce(0, +))
      #expect(answer.wire.roundTrips == answer.wire.nodes.values.map(\.roundTrips).reduce(0, +))
      #expect(answer.wire.weightBytes == answer.wire.nodes.values.map(\.weightBytes).reduce(0, +))
      #expect(answer.wire.roundTrips > 0)
    }

    @Test("several prompts give one object a line in their order, each as if it were alone")
    func severalPrompts() throws {
      let settings = ["--max-tokens", "20", "--seed", "5"]
      let prompts = ["The wolf", "A little girl went", "\"Who are you?\" asked", "In the forest", "The king", "Water"]
      let together = try RunningShoal.generate(prompts + settings)
      #expect(together.count == prompts.count)
      for (prompt, answer) in zip(prompts, together) {
        let alone = try #require(
          try RunningShoal.generate([prompt, "--topology", "none", "--model", Workshop.model.path] + settings).first)
        #expect(answer.promptTokens == alone.promptTokens)
        #expect(answer.tokens == alone.tokens, "\(prompt)")
        #expect(answer.text == alone.text)
      }
    }

    @Test("several prompts as text: the answers follow each other in order, a line of summary each")
    func severalTexts() throws {
      let settings = [
        "--tokens", "5,6,7", "--tokens", "8,9", "--max-tokens", "12", "--temperature", "0", "--ignore-eos",
      ]
      let answers = try RunningShoal.generate(settings)
      let outcome = try RunningShoal.run(["generate"] + settings)
      #expect(outcome.status == 0)
      #expect(outcome.text == answers.map { $0.text + "\n" }.joined())
      #expect(outcome.errors.split(separator: "\n").count == 2)
    }

    @Test("a seed that was drawn gives the same answer when it is given")
    func drawnSeed() throws {
      let settings = ["The princess", "--max-tokens", "20", "--temperature", "1.5"]
      let first = try #require(try RunningShoal.generate(settings).first)
      let again = try #require(try RunningShoal.generate(settings + ["--seed", "\(first.seed)"]).first)
      #expect(again.tokens == first.tokens)
      #expect(again.seed == first.seed)
    }

    @Test("--temperature 0 switches the default penalties off; those that are given count")
    func greedyPenalties() throws {
      let none = ["--topology", "none", "Once upon a time there was a king who", "--max-tokens", "60"]
      let greedy = try RunningShoal.generate(none + ["--temperature", "0"])
      let off = [
        "--temperature", "0", "--repeat-penalty", "1", "--frequency-penalty", "0", "--presence-penalty", "0",
      ]
      #expect(try RunningShoal.generate(none + off)[0].tokens == greedy[0].tokens)
      let penalty = try RunningShoal.generate(none + ["--temperature", "0", "--repeat-penalty", "1.3"])
      #expect(penalty[0].tokens != greedy[0].tokens)
      let topOne = try RunningShoal.generate(none + ["--top-k", "1", "--repeat-penalty", "1"])
      #expect(topOne[0].tokens == greedy[0].tokens)
      let topOnePenalised = try RunningShoal.generate(none + ["--top-k", "1"])
      #expect(topOnePenalised[0].tokens != greedy[0].tokens)
    }

    @Test("without a folder for the cache it works all the same, and says so")
    func noCache() throws {
      let outcome = try RunningShoal.run(
        ["generate", "The fox", "--max-tokens", "4"], environment: ["XDG_CACHE_HOME": nil, "HOME": nil])
      #expect(outcome.status == 0)
      #expect(!outcome.text.isEmpty)
      #expect(outcome.errors.contains("no shard store"))
    }
  }
}

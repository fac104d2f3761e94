import Foundation
import Testing

extension CommandLineTests {
  @Suite("perplexity and tokens")
  struct PerplexityTests {
    private struct Report: Decodable, Equatable {
      let perplexity: Double
      let tokens: Int
      let windows: Int
    }

    private func report(_ arguments: [String]) throws -> Report {
      let outcome = try RunningShoal.run(["perplexity", "--json"] + arguments)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try JSONDecoder().decode(Report.self, from: outcome.output)
    }

    @Test("the same to the last digit in one process and in a cluster")
    func cluster() throws {
      let sentence = "Once upon a time there was a king who had three daughters, and the youngest was the fairest. "
      let text = try Workshop.file("text.txt", Data(String(repeating: sentence, count: 40).utf8)).path
      let alone = try report(["--file", text, "--context", "128", "--topology", "none"])
      #expect(alone.windows >= 4)
      #expect(alone.tokens == alone.windows * 63)
      #expect(alone.perplexity > 1 && alone.perplexity < 50)
      #expect(try report(["--file", text, "--context", "128"]) == alone)
    }

    @Test("text becomes tokens and text again")
    func tokenize() throws {
      let model = ["tokenize", "--model", Workshop.model.path]
      let text = "The youngest brother went out into the world to seek his fortune, and"
      let ids = try RunningShoal.run(model + [text])
      #expect(ids.text == "329,1507,763,446,394,433,259,879,273,1743,320,1794,1608,11,267\n")
      let back = try RunningShoal.run(model + ["--tokens", ids.text.trimmingCharacters(in: .newlines)])
      #expect(back.text == text + "\n")
    }
  }
}

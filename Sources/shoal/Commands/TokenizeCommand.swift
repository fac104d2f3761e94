import ArgumentParser
import GGUF
import Tensors
import Tokenization

/// Text to token ids and back.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize", abstract: "Split text into the model's tokens, or join tokens to text.")

  @Option(help: "The GGUF file.")
  var model: String
  @Option(help: "Token ids to be joined to text, instead of text to be split.")
  var tokens: TokenList?
  @Flag(help: "One token a line, with its text.")
  var verbose = false
  @Argument(help: "The text.")
  var text: [String] = []

  func run() throws {
    try withExitStatus {
      guard (tokens == nil) != text.isEmpty else {
        throw ValidationError("give either text or --tokens")
      }
      let tokenizer = try Tokenizer(metadata: GGUFFile.open(model).metadata)
      let output = tokens.map { tokenizer.decode($0.tokens) + "\n" } ?? list(tokenizer.encode(joined), tokenizer)
      try Console.write(output)
    }
  }

  private var joined: String { text.joined(separator: " ") }

  private func list(_ ids: [TokenID], _ tokenizer: Tokenizer) -> String {
    func printed(_ token: TokenID) -> String { tokenizer.decode([token], includingControl: true, continuing: true) }
    guard verbose else { return ids.map(\.description).joined(separator: ",") + "\n" }
    return ids.map { "\($0)\t\(String(reflecting: printed($0)))\n" }.joined()
  }
}

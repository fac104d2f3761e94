import ArgumentParser
import Coordinator
import Tensors

/// Logits of a prompt's last positions, for comparisons.
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Write the logits of a prompt's last positions: raw little-endian float32, [positions, vocabulary].")

  @OptionGroup var cluster: ClusterOptions
  @Option(help: "Token ids of the prompt, fed as they are.")
  var tokens: TokenList
  @Option(help: "How many of the last positions.")
  var last: Int = 1
  @Option(help: "The file to write, or - for standard output.")
  var out: String

  func validate() throws {
    guard !tokens.tokens.isEmpty else { throw ValidationError("--tokens must name at least one token") }
    guard (1...tokens.tokens.count).contains(last) else {
      throw ValidationError("--last must be 1 to \(tokens.tokens.count), the number of tokens")
    }
  }

  func run() throws {
    try withExitStatus {
      let request = JobRequest(prompt: .tokens(tokens.tokens), maxTokens: 0, logitRows: last)
      // Before the work, so that a wrong path costs none.
      let output = try RawOutput(path: out)
      let running = try ClusterStarter.start(cluster)
      defer { running.stop() }
      try JobRunner(running, [request]).run { _, event in
        if case .logits(_, _, let values) = event { try output.write(values) }
      }
    }
  }
}

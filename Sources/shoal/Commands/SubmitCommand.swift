import ArgumentParser
import Coordinator
import Scheduling
import Tensors
import Wire

/// Hands a durable generation job to a coordinator.
struct SubmitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Hand a job to a coordinator, which keeps it on disk; prints its id once it is there.")

  @OptionGroup var coordinator: CoordinatorOption
  @OptionGroup var sampling: SamplingOptions
  @Option(help: "Most tokens to generate.")
  var maxTokens: Int = 256
  @Option(help: "Token ids to be fed as they are, instead of a prompt.")
  var tokens: TokenList?
  @Flag(name: .customLong("ignore-eos"), help: "Go on after a token that ends the text.")
  var ignoreEOS = false
  @Argument(help: "The prompt.")
  var prompt: String?

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens must be at least 1") }
    guard (prompt == nil) != (tokens == nil) else { throw ValidationError("give either a prompt or --tokens") }
  }

  func run() throws {
    try withExitStatus {
      let wire: WirePrompt = tokens.map { .tokens($0.tokens) } ?? .text(prompt ?? "")
      let submission = Submit(
        request: 1, prompt: wire, sampling: try sampling.resolved(), maxTokens: maxTokens, ignoresEOS: ignoreEOS,
        isDurable: true)
      guard case .submitted(let answer) = try coordinator.ask(.submit(submission)) else {
        throw InputError(.software, "the coordinator answered something else than was asked")
      }
      try Console.write("\(answer.job)\n")
    }
  }
}

import ArgumentParser
import Coordinator
import Scheduling
import Tensors

/// One generation, or several side by side.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue one prompt, or several side by side.")

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var sampling: SamplingOptions
  @Option(help: "A running coordinator (shoal serve) at HOST:PORT, instead of bringing up a cluster.")
  var coordinator: String?
  @Option(help: "Most tokens to generate.")
  var maxTokens: Int = 256
  @Option(help: "Token ids to be fed as they are, instead of a prompt; may be given several times.")
  var tokens: [TokenList] = []
  @Flag(name: .customLong("ignore-eos"), help: "Go on after a token that ends the text.")
  var ignoreEOS = false
  @Flag(help: "One JSON object a prompt instead of text.")
  var json = false
  @Argument(help: "The prompts.")
  var prompts: [String] = []

  func validate() throws {
    guard maxTokens > 0 else { throw ValidationError("--max-tokens must be at least 1") }
    guard prompts.isEmpty != tokens.isEmpty else { throw ValidationError("give either prompts or --tokens") }
  }

  func run() throws {
    try withExitStatus {
      let parameters = try sampling.resolved()
      let running = try ClusterStarter.start(cluster, coordinator: coordinator)
      defer { running.stop() }
      let sources = prompts.map { JobRequest.Prompt.text($0) } + tokens.map { .tokens($0.tokens) }
      let requests = sources.map {
        JobRequest(prompt: $0, parameters: parameters, maxTokens: maxTokens, ignoreEOS: ignoreEOS)
      }
      var printer = AnswerPrinter(count: requests.count, json: json)
      do {
        try JobRunner(running, requests).run { index, event in try printer.handle(index, event) }
      } catch {
        printer.interrupt()
        throw error
      }
    }
  }
}

import ArgumentParser

/// The command line. Each command is a file in `Commands`.
@main
struct Shoal: ParsableCommand {
  static let release = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "shoal",
    abstract: "Run large Mixture-of-Experts models on several cheap machines together.",
    version: release,
    subcommands: [
      GenerateCommand.self, WorkerCommand.self, ServeCommand.self, SubmitCommand.self, JobsCommand.self,
      AttachCommand.self, CancelCommand.self, TopologyCommand.self, ShardsCommand.self, LogitsCommand.self,
      PerplexityCommand.self, TokenizeCommand.self, InspectCommand.self, BenchCommand.self,
    ])

  static func main() {
    StandardStreams.ensureOpen()
    main(nil)
  }
}

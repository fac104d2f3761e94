import ArgumentParser
import Coordinator
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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
      let running = try ClusterStarter.start(cluster)
      defer { running.stop() }
      var values: [Float] = []
      let request = JobRequest(prompt: .tokens(tokens.tokens), maxTokens: 0, logitRows: last)
      try JobRunner(running).run([request]) { _, event in
        if case .logits(_, _, let more) = event { values += more }
      }
      try write(values)
    }
  }

  private func write(_ values: [Float]) throws {
    let bytes = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
    let file = out == "-" ? STDOUT_FILENO : open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw InputError(.cannotCreate, "\(out): \(String(cString: strerror(errno)))") }
    defer { if file != STDOUT_FILENO { close(file) } }
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { systemWrite(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw InputError(.ioError, "\(out): \(String(cString: strerror(errno)))") }
      start += count
    }
  }
}

/// `write(2)`, whose name `LogitsCommand.write` hides.
private func systemWrite(_ file: Int32, _ base: UnsafeRawPointer?, _ count: Int) -> Int { write(file, base, count) }

import Coordinator

/// Prints answers in the order of their prompts: the first that is not complete is streamed, later ones are held back.
struct AnswerPrinter {
  private let json: Bool
  /// Text not yet printed, for each prompt.
  private var pending: [String]
  private var summaries: [JobSummary?]
  /// The prompt whose answer is being printed.
  private var current = 0

  init(count: Int, json: Bool) {
    self.json = json
    pending = Array(repeating: "", count: count)
    summaries = Array(repeating: nil, count: count)
  }

  /// - Throws: `ExitCode` when nobody reads standard output any more.
  mutating func handle(_ index: Int, _ event: JobEvent) throws {
    switch event {
    case .started, .logits, .failed: return
    case .tokens(let tokens): pending[index] += tokens.text
    case .finished(let summary):
      summaries[index] = summary
      if json { pending[index] = summary.json + "\n" }
    }
    try flush()
  }

  private mutating func flush() throws {
    while current < pending.count {
      let summary = summaries[current]
      if !json || summary != nil, !pending[current].isEmpty {
        try write(pending[current])
        pending[current] = ""
      }
      guard let summary else { return }
      if !json {
        try write("\n")
        Console.error("shoal: \(summary.line)")
      }
      current += 1
    }
  }

  private func write(_ text: String) throws {
    Console.clearProgress()
    guard Console.write(text) else { throw ExitStatus.closedPipe.code }
  }
}

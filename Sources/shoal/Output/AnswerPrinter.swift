import Coordinator

/// Prints answers in the order of their prompts: the first that is not complete is streamed, later ones are held back.
struct AnswerPrinter {
  private let json: Bool
  /// Text not yet printed, for each prompt.
  private var pending: [String]
  private var summaries: [JobSummary?]
  /// The prompt whose answer is being printed.
  private var current = 0
  /// Whether a piece of an answer is the last thing printed.
  private var isMidAnswer = false

  init(count: Int, json: Bool) {
    self.json = json
    pending = Array(repeating: "", count: count)
    summaries = Array(repeating: nil, count: count)
  }

  /// - Throws: `ExitCode` when nobody reads standard output any more.
  mutating func handle(_ index: Int, _ event: JobEvent) throws {
    switch event {
    case .started, .logits, .failed: return
    case .tokens(let tokens): if !json { pending[index] += tokens.text }
    case .finished(let summary):
      summaries[index] = summary
      pending[index] += json ? summary.json + "\n" : "\n"
    }
    try flush()
  }

  /// Ends the line of an answer that will not be completed.
  mutating func interrupt() {
    guard isMidAnswer else { return }
    isMidAnswer = false
    // The command ends with an error of its own; this line end is a courtesy.
    try? Console.write("\n")
  }

  private mutating func flush() throws {
    while current < pending.count {
      let summary = summaries[current]
      if !pending[current].isEmpty {
        try write(pending[current])
        pending[current] = ""
        isMidAnswer = summary == nil
      }
      guard let summary else { return }
      // A seed that was drawn is needed to have the same answer again.
      if !json { Console.error("shoal: \(summary.line), seed \(summary.seed)") }
      current += 1
    }
  }

  private func write(_ text: String) throws {
    Console.clearProgress()
    try Console.write(text)
  }
}

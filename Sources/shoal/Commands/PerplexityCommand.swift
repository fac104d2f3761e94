import ArgumentParser
import Cluster
import Coordinator
import GGUF
import Kernels
import Tensors
import Tokenization

/// Perplexity of a text, as llama.cpp's `llama-perplexity` defines it: windows of the context's length, the second half
/// of each scored.
struct PerplexityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity", abstract: "Measure how well the model predicts a text.")

  @OptionGroup var cluster: ClusterOptions
  @Option(help: "The text file (UTF-8).")
  var file: String
  @Flag(help: "A JSON object instead of a line.")
  var json = false

  func run() throws {
    try withExitStatus {
      let window = cluster.context ?? 512
      guard window >= 4 else { throw ValidationError("--context must be at least 4") }
      let windows = try readWindows(window)
      let running = try ClusterStarter.start(cluster)
      defer { running.stop() }
      // Logits from the middle on; the last position's prediction has nothing to be held against.
      let scored = window - window / 2
      let requests = windows.map { JobRequest(prompt: .tokens($0), maxTokens: 0, logitRows: scored) }
      var score = Score()
      var done = 0
      try JobRunner(running, requests, limit: 8).run { index, event in
        switch event {
        case .logits(let first, let rows, let values): score.add(windows[index], first: first, rows: rows, values)
        case .finished:
          done += 1
          Console.progress("perplexity", done: done, total: requests.count)
        default: break
        }
      }
      Console.clearProgress()
      try Console.write(score.report(windows: windows.count, context: window, json: json))
    }
  }

  private func readWindows(_ window: Int) throws -> [[TokenID]] {
    let tokenizer = try Tokenizer(metadata: GGUFFile.open(cluster.modelPath()).metadata)
    guard let text = String(validating: try TopologyFile.bytes(file, limit: 1 << 30), as: UTF8.self) else {
      throw InputError(.badData, "\(file): not UTF-8 text")
    }
    let tokens = tokenizer.encode(text, parseSpecial: false, addSpecial: true)
    guard tokens.count >= window else {
      throw InputError(.badData, "\(file): \(tokens.count) tokens are fewer than one window of \(window)")
    }
    return (0..<tokens.count / window).map { index in
      var part = Array(tokens[index * window..<(index + 1) * window])
      // As llama-perplexity does: each window begins like a text.
      if tokenizer.addsBOS, let bos = tokenizer.bosToken { part[0] = bos }
      return part
    }
  }
}

/// Sum of the negative log-probabilities of the tokens that really came.
private struct Score {
  private var sum = 0.0
  private var sumOfSquares = 0.0
  private var count = 0

  mutating func add(_ tokens: [TokenID], first: Int, rows: Int, _ values: [Float]) {
    let vocabulary = values.count / max(1, rows)
    for row in 0..<rows where first + row + 1 < tokens.count {
      let logits = values[row * vocabulary..<(row + 1) * vocabulary]
      let loss = Self.loss(logits, of: Int(tokens[first + row + 1].rawValue))
      sum += loss
      sumOfSquares += loss * loss
      count += 1
    }
  }

  private static func loss(_ logits: ArraySlice<Float>, of token: Int) -> Double {
    let largest = Double(logits.max() ?? 0)
    let total = logits.reduce(0.0) { $0 + Maths.exp(Double($1) - largest) }
    return Maths.log(total) + largest - Double(logits[logits.startIndex + token])
  }

  func report(windows: Int, context: Int, json: Bool) -> String {
    let mean = sum / Double(max(1, count))
    let perplexity = Maths.exp(mean)
    let variance = max(0, sumOfSquares / Double(max(1, count)) - mean * mean)
    let error = (variance / Double(max(1, count - 1))).squareRoot() * perplexity
    if json {
      return #"{"perplexity":\#(perplexity),"error":\#(error),"tokens":\#(count),"windows":\#(windows),"#
        + #""context":\#(context)}"# + "\n"
    }
    return "perplexity \(perplexity) +/- \(error) (\(count) tokens in \(windows) windows of \(context))\n"
  }
}

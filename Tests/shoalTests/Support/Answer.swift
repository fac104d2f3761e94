import Foundation

/// A line of `shoal generate --json`.
struct Answer: Decodable, Equatable {
  struct Timing: Decodable, Equatable {
    let queueSeconds: Double
    let prefillSeconds: Double
    let decodeSeconds: Double
  }

  struct Traffic: Decodable, Equatable {
    let bytes: Int
    let frames: Int
    let roundTrips: Int
    let weightBytes: Int
  }

  struct Wire: Decodable, Equatable {
    let bytes: Int
    let frames: Int
    let roundTrips: Int
    let weightBytes: Int
    let nodes: [String: Traffic]
  }

  let promptTokens: [Int]
  let tokens: [Int]
  let text: String
  let stopReason: String
  let seed: UInt64
  let timing: Timing
  let wire: Wire

  /// The answers in what the program wrote, one a line.
  static func all(_ output: Data) throws -> [Answer] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try output.split(separator: 0x0A).map { try decoder.decode(Answer.self, from: $0) }
  }
}

extension RunningShoal {
  /// Answers of `shoal generate ARGUMENTS --json`.
  static func generate(_ arguments: [String]) throws -> [Answer] {
    try RunningShoal(["generate"] + arguments + ["--json"]).answers()
  }

  /// Waits for the answers of a `shoal generate --json`; there is at least one.
  func answers() throws -> [Answer] {
    let outcome = try finish()
    guard outcome.status == 0 else { throw Failure("status \(outcome.status): \(outcome.errors)") }
    let answers = try Answer.all(outcome.output)
    guard !answers.isEmpty else { throw Failure("no answer") }
    return answers
  }

  /// The raw logits of `shoal logits ARGUMENTS`.
  static func logits(_ arguments: [String]) throws -> Data {
    let outcome = try run(["logits", "--out", "-"] + arguments)
    guard outcome.status == 0 else { throw Failure("status \(outcome.status): \(outcome.errors)") }
    return outcome.output
  }
}

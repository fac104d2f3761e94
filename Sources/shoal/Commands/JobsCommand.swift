import ArgumentParser
import Coordinator
import Foundation
import Wire

/// The durable jobs of a coordinator.
struct JobsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "List the durable jobs of a coordinator.")

  @OptionGroup var coordinator: CoordinatorOption
  @Flag(help: "An array of JSON objects instead of a table.")
  var json = false

  func run() throws {
    try withExitStatus {
      guard case .jobList(let list) = try coordinator.ask(.jobsRequest(JobsRequest(request: 1))) else {
        throw InputError(.software, "the coordinator answered something else than was asked")
      }
      try Console.write(json ? JobListing.json(list.jobs) : JobListing.table(list.jobs))
    }
  }
}

/// Ends a durable job.
struct CancelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "cancel", abstract: "End a durable job.")

  @OptionGroup var coordinator: CoordinatorOption
  @Argument(help: "The job's id.")
  var id: UInt64

  func run() throws {
    try withExitStatus {
      guard case .jobList(let list) = try coordinator.ask(.cancelJob(CancelJob(request: 1, job: id))) else {
        throw InputError(.software, "the coordinator answered something else than was asked")
      }
      for job in list.jobs { Console.error("shoal: job \(job.job) is \(job.state.name)") }
    }
  }
}

/// Follows a durable job.
struct AttachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract: "Print a durable job's answer from its first token to its end, also across restarts of the coordinator.")

  @OptionGroup var coordinator: CoordinatorOption
  @Flag(help: "One JSON object instead of text.")
  var json = false
  @Argument(help: "The job's id.")
  var id: UInt64

  func run() throws {
    try withExitStatus {
      var printer = AnswerPrinter(count: 1, json: json)
      do {
        try coordinator.line().follow(
          id, timeout: CoordinatorOption.timeout, lost: { Console.error("shoal: \($0); trying again") }
        ) { event in try printer.handle(0, event) }
      } catch {
        printer.interrupt()
        throw error
      }
    }
  }
}

/// How durable jobs are shown.
enum JobListing {
  private struct Row: Encodable {
    let id: UInt64
    let state: String
    let tokens: Int
    /// ISO 8601, UTC.
    let created: String
    let reason: String?

    init(_ job: JobDescription) {
      id = job.job
      state = job.state.name
      tokens = job.tokens
      created = Date(timeIntervalSince1970: Double(job.created) / 1000).formatted(.iso8601)
      reason = job.reason.isEmpty ? nil : job.reason
    }
  }

  static func json(_ jobs: [JobDescription]) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(jobs.map(Row.init)), as: UTF8.self) + "\n"
  }

  static func table(_ jobs: [JobDescription]) -> String {
    guard !jobs.isEmpty else { return "no jobs\n" }
    return jobs.map(Row.init).map { row in
      "\(row.id)\t\(row.state)\t\(row.tokens) tokens\t\(row.created)\(row.reason.map { "\t\($0)" } ?? "")\n"
    }.joined()
  }
}

extension JobStateCode {
  /// As it is shown.
  var name: String {
    switch self {
    case .waiting: "waiting"
    case .running: "running"
    case .done: "done"
    case .cancelled: "cancelled"
    case .failed: "failed"
    }
  }
}

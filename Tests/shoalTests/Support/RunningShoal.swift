import Foundation
import Synchronization
import Testing

/// How a process of the program went.
struct Outcome {
  /// The exit code; 128 and the signal's number when a signal ended it.
  let status: Int32
  let output: Data
  let errors: String

  var text: String { String(decoding: output, as: UTF8.self) }
}

/// A process of the program under test.
final class RunningShoal {
  private let process = Process()
  private let output: StreamCollector
  private let errors: StreamCollector
  private let hasEnded = Latch()
  /// Marks this process and its children.
  private let mark = UUID().uuidString

  /// Longest wait for anything; far longer than anything takes.
  static let patience: TimeInterval = 60

  /// - Parameters:
  ///   - outputLimit: bytes of standard output after which its reader goes away.
  ///   - environment: variables on top of the cache folder and a state folder of its own; nil takes one away.
  init(
    _ arguments: [String], program: URL = Workshop.program, in directory: URL = Workshop.repository,
    outputLimit: Int = .max, environment: [String: String?] = [:]
  ) throws {
    try #require(
      FileManager.default.isExecutableFile(atPath: program.path), "\(program.path) is missing: build the whole package")
    let (outputPipe, errorPipe) = (Pipe(), Pipe())
    process.executableURL = program
    process.arguments = arguments
    process.currentDirectoryURL = directory
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = outputPipe
    process.standardError = errorPipe
    var variables = [
      "XDG_CACHE_HOME": Workshop.cache.path, "SHOAL_TEST_MARK": mark,
      // A coordinator takes its state folder for itself.
      "XDG_STATE_HOME": Workshop.directory.appending(path: "state-\(mark)").path,
    ]
    for (name, value) in environment { variables[name] = value }
    process.environment = variables
    process.terminationHandler = { [hasEnded] _ in hasEnded.open() }
    try process.run()
    try? outputPipe.fileHandleForWriting.close()
    try? errorPipe.fileHandleForWriting.close()
    output = StreamCollector(outputPipe, limit: outputLimit)
    errors = StreamCollector(errorPipe)
  }

  deinit {
    guard !hasEnded.isOpen else { return }
    for pid in processIDs { kill(pid, SIGKILL) }
    hasEnded.wait(until: Date(timeIntervalSinceNow: Self.patience))
  }

  private var state: String {
    guard hasEnded.isOpen else { return "still running" }
    return "ended with \(process.terminationReason == .exit ? "status" : "signal") \(process.terminationStatus)"
  }

  var processID: Int32 { process.processIdentifier }

  /// This process and its children, as far as they live.
  var processIDs: [Int32] { ProcessTable.processes(marked: mark) }

  /// What it has written to standard output so far.
  var text: String { output.text }

  /// What it has written to standard error so far.
  var errorText: String { errors.text }

  /// Waits for a part of a line on standard error.
  func waitForError(_ part: String) throws {
    guard errors.wait(for: part, until: Date(timeIntervalSinceNow: Self.patience)) else {
      throw Failure("\(part) did not come, \(state); standard error: \(errors.text)")
    }
  }

  /// Waits for a part of standard output.
  func waitForOutput(_ part: String) throws {
    guard output.wait(for: part, until: Date(timeIntervalSinceNow: Self.patience)) else {
      throw Failure("\(part) did not come, \(state); standard error: \(errors.text)")
    }
  }

  /// The address it says on standard error that it listens at.
  func waitForAddress() throws -> String {
    try waitForError("listening on ")
    guard let range = errors.text.range(of: "listening on ") else { throw Failure("no address") }
    return String(errors.text[range.upperBound...].prefix { !$0.isWhitespace })
  }

  func send(_ signal: Int32) { kill(processID, signal) }

  /// Waits until it has ended, and its children with it.
  func finish() throws -> Outcome {
    let deadline = Date(timeIntervalSinceNow: Self.patience)
    guard hasEnded.wait(until: deadline) else {
      throw Failure("still running; standard error: \(errors.text)")
    }
    guard output.waitForEnd(until: deadline), errors.waitForEnd(until: deadline) else {
      throw Failure("its streams are still open; standard error: \(errors.text)")
    }
    let orphans = ProcessTable.wait(until: deadline) { processIDs.isEmpty }
    #expect(orphans, "left behind: \(processIDs)")
    let status = process.terminationReason == .exit ? process.terminationStatus : 128 + process.terminationStatus
    return Outcome(status: status, output: output.bytes, errors: errors.text)
  }

  /// Runs the program to its end.
  static func run(
    _ arguments: [String], in directory: URL = Workshop.repository, environment: [String: String?] = [:]
  ) throws -> Outcome {
    try RunningShoal(arguments, in: directory, environment: environment).finish()
  }

  /// Something that did not happen in time.
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }
}

/// Opened once; others wait for it.
final class Latch: Sendable {
  private let state = Mutex(false)
  private let changed = NSCondition()

  var isOpen: Bool { state.withLock { $0 } }

  func open() {
    state.withLock { $0 = true }
    changed.lock()
    changed.broadcast()
    changed.unlock()
  }

  @discardableResult
  func wait(until deadline: Date) -> Bool {
    changed.lock()
    defer { changed.unlock() }
    while !isOpen {
      guard changed.wait(until: deadline) else { return isOpen }
    }
    return true
  }
}

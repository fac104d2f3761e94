import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What one worker process writes, cut into lines.
struct ChildOutput {
  let node: NodeID
  let processID: Int32
  /// Read ends of its pipes; -1 once they are at their end.
  private var standardOutput: LineReader
  private var standardError: LineReader
  private var isListening = false
  private(set) var lastLine: String?

  init(node: NodeID, processID: Int32, standardOutput: Int32, standardError: Int32) {
    self.node = node
    self.processID = processID
    self.standardOutput = LineReader(standardOutput)
    self.standardError = LineReader(standardError)
  }

  /// Blocks until one of the children has written something or may have ended.
  static func wait(for outputs: [ChildOutput]) {
    var descriptors = outputs.flatMap { [$0.standardOutput.descriptor, $0.standardError.descriptor] }
      .filter { $0 >= 0 }
      .map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let isEnding = outputs.contains { $0.standardOutput.descriptor < 0 && $0.standardError.descriptor < 0 }
    _ = poll(&descriptors, nfds_t(descriptors.count), isEnding ? 5 : 250)
  }

  /// Events of what has been written since the last call; never blocks.
  mutating func read() -> [LocalWorkerEvent] {
    var events: [LocalWorkerEvent] = []
    for line in standardOutput.lines() where !isListening {
      guard let address = line.split(separator: " ").last, address.contains(":") else { continue }
      isListening = true
      events.append(.listening(node, address: String(address)))
    }
    for line in standardError.lines() {
      lastLine = line
      events.append(.output(node, line: line))
    }
    return events
  }

  func closeStreams() {
    for descriptor in [standardOutput.descriptor, standardError.descriptor] where descriptor >= 0 {
      close(descriptor)
    }
  }

  /// The end of a worker that nobody asked to end.
  func failure(_ status: Int32) -> CoordinatorError {
    let signal = status & 0x7F
    let how = signal == 0 ? "ended with status \((status >> 8) & 0xFF)" : "was ended by signal \(signal)"
    let said = lastLine.map { "; its last words: \($0)" } ?? ""
    return CoordinatorError(
      isListening ? .workerLost : .startFailed, node: node, "the local worker \(node) \(how)\(said)")
  }
}

/// Cuts what comes from a non-blocking descriptor into lines.
private struct LineReader {
  /// -1 once everything was read.
  private(set) var descriptor: Int32
  private var pending: [UInt8] = []
  /// Longer lines are cut.
  private static let lineLimit = 16 << 10

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  mutating func lines() -> [String] {
    var result: [String] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    // At most 64 chunks a call, so that one noisy child does not keep the others waiting.
    for _ in 0..<64 where descriptor >= 0 {
      let count = fill(descriptor, &chunk)
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { break }
      }
      if count <= 0 {
        close(descriptor)
        descriptor = -1
        if !pending.isEmpty { pending.append(0x0A) }
      } else {
        pending += chunk[..<count]
      }
      cut(&result)
    }
    return result
  }

  private mutating func cut(_ result: inout [String]) {
    while let end = pending.firstIndex(of: 0x0A) {
      result.append(String(decoding: pending[..<end], as: UTF8.self))
      pending.removeSubrange(...end)
    }
    if pending.count > Self.lineLimit {
      result.append(String(decoding: pending, as: UTF8.self))
      pending = []
    }
  }

  private func fill(_ descriptor: Int32, _ chunk: inout [UInt8]) -> Int {
    chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
  }
}

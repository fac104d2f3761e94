import Coordinator
import Scheduling
import Synchronization
import Tensors

/// Keeps what a sink was told.
final class Recorder<Element: Sendable>: Sendable {
  private let state = Mutex<[Element]>([])

  var elements: [Element] { state.withLock { $0 } }

  func record(_ element: Element) { state.withLock { $0.append(element) } }

  /// Takes everything out.
  func drain() -> [Element] {
    state.withLock { elements in
      defer { elements = [] }
      return elements
    }
  }
}

extension Recorder<JobEvent> {
  var sink: JobSink { { [self] event in record(event) } }

  var summary: JobSummary? {
    for case .finished(let summary) in elements { return summary }
    return nil
  }

  var error: CoordinatorError? {
    for case .failed(let error) in elements { return error }
    return nil
  }

  /// Everything streamed.
  var text: String {
    elements.reduce(into: "") { text, event in
      if case .tokens(let tokens) = event { text += tokens.text }
    }
  }

  var tokens: [TokenID] {
    elements.flatMap { event in
      if case .tokens(let tokens) = event { tokens.tokens } else { [TokenID]() }
    }
  }

  var hasStarted: Bool {
    guard case .started = elements.first else { return false }
    return true
  }

  /// How many events there were that end a job.
  var endCount: Int {
    elements.count { event in
      switch event {
      case .finished, .failed: true
      default: false
      }
    }
  }
}

import JobStore
import Synchronization

/// What a writer said, in order.
final class Answers: Sendable {
  private let state = Mutex([JournalError.Code?]())

  var codes: [JournalError.Code?] { state.withLock { $0 } }

  func add(_ result: Result<Void, JournalError>) {
    let code: JournalError.Code? =
      if case .failure(let error) = result { error.code } else { nil }
    state.withLock { $0.append(code) }
  }
}

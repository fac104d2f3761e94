import Foundation
import Testing
import Transport

/// A thread of its own for the other side of a test. Tests block, and the threads that run tests are few: nothing a
/// test waits for may depend on them.
struct TestThread<Value: Sendable> {
  private let result = Mailbox<Result<Value, any Error>>(capacity: 1)

  init(_ body: @escaping @Sendable () throws -> Value) {
    let result = result
    Thread { result.post(Result(catching: body)) }.start()
  }

  var isDone: Bool { result.count > 0 }

  /// What the body returned; fails the test when it takes too long.
  func value() throws -> Value {
    result.wait(until: ContinuousClock.now + .seconds(60))
    return try #require(result.take(), "the thread did not end").get()
  }
}

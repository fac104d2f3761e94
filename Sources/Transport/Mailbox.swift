private import Synchronization

/// A bounded queue with many posters and one taker, first in, first out.
///
/// The taker either waits on the mailbox itself, or on something else that `onPost` wakes.
public final class Mailbox<Element: Sendable>: Sendable {
  private struct State {
    var elements: [Element?] = []
    /// Index of the oldest element.
    var head = 0
    var isClosed = false
    var count: Int { elements.count - head }
  }

  /// Most elements that may wait.
  public let capacity: Int
  private let state = Mutex(State())
  private let waker = PipeWaker()
  private let onPost: (@Sendable () -> Void)?

  /// - Parameter onPost: called after each post, on the poster's thread.
  public init(capacity: Int, onPost: (@Sendable () -> Void)? = nil) {
    precondition(capacity > 0, "a mailbox must hold something")
    self.capacity = capacity
    self.onPost = onPost
  }

  /// Elements that wait to be taken.
  public var count: Int { state.withLock { $0.count } }

  /// Adds an element.
  /// - Returns: false when the mailbox is full or closed; the element is then lost and the poster must do something
  ///   about it.
  @discardableResult
  public func post(_ element: Element) -> Bool {
    let isAccepted = state.withLock { state in
      guard !state.isClosed, state.count < capacity else { return false }
      state.elements.append(element)
      return true
    }
    guard isAccepted else { return false }
    waker.wake()
    onPost?()
    return true
  }

  /// Removes the oldest element; nil when there is none. Never waits.
  public func take() -> Element? {
    state.withLock { state in
      guard state.count > 0 else { return nil }
      let element = state.elements[state.head]
      state.elements[state.head] = nil
      state.head += 1
      if state.head == state.elements.count {
        state.elements.removeAll(keepingCapacity: true)
        state.head = 0
      } else if state.head >= 64, 2 * state.head >= state.elements.count {
        state.elements.removeFirst(state.head)
        state.head = 0
      }
      return element
    }
  }

  /// Waits until there is an element, the mailbox is closed or the deadline has passed.
  /// - Returns: whether there is an element.
  @discardableResult
  public func wait(until deadline: ContinuousClock.Instant? = nil) -> Bool {
    while true {
      waker.clear()
      let (hasElement, isClosed) = state.withLock { ($0.count > 0, $0.isClosed) }
      if hasElement || isClosed || Deadline.hasPassed(deadline) { return hasElement }
      waker.wait(until: deadline)
    }
  }

  /// Takes no more; what is there can still be taken.
  public func close() {
    state.withLock { $0.isClosed = true }
    waker.wake()
    onPost?()
  }
}

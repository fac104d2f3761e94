import Synchronization
import Tensors
import Testing
import Transport
import Wire

/// Collects the events of a control plane, and waits for those a test needs.
final class EventLog: Sendable {
  private let mailbox = Mailbox<ControlEvent>(capacity: 100_000)

  var sink: ControlSink { { [mailbox] in mailbox.post($0) } }

  /// The next event; fails the test when none comes within the deadline.
  func next(within limit: Duration = .seconds(20), _ location: SourceLocation = #_sourceLocation) throws -> ControlEvent
  {
    mailbox.wait(until: ContinuousClock.now + limit)
    return try #require(mailbox.take(), "no event came", sourceLocation: location)
  }

  /// The next event, which must be an opening.
  func opened(_ location: SourceLocation = #_sourceLocation) throws -> LinkID {
    let event = try next(location)
    guard case .opened(let link, _) = event else {
      throw Unexpected(event: "\(event)")
    }
    return link
  }

  func received(_ location: SourceLocation = #_sourceLocation) throws -> (LinkID, FrameHeader, ControlMessage) {
    let event = try next(location)
    guard case .received(let link, let header, let message) = event else { throw Unexpected(event: "\(event)") }
    return (link, header, message)
  }

  func closed(_ location: SourceLocation = #_sourceLocation) throws -> (LinkID, TransportError?) {
    let event = try next(location)
    guard case .closed(let link, let error) = event else { throw Unexpected(event: "\(event)") }
    return (link, error)
  }

  private func next(_ location: SourceLocation) throws -> ControlEvent { try next(within: .seconds(20), location) }

  var isEmpty: Bool { mailbox.count == 0 }
}

struct Unexpected: Error { let event: String }

extension ControlPlane {
  func send(_ message: ControlMessage, on link: LinkID) {
    send(message, epoch: PlacementEpoch(rawValue: 1), term: CoordinatorTerm(rawValue: 1), on: link)
  }
}

extension ControlMessage {
  static func ping(_ nonce: UInt64) -> ControlMessage { .ping(Heartbeat(nonce: nonce, progress: 0)) }
}

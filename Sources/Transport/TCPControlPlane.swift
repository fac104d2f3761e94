public import Logging
import NIOCore
import NIOPosix
private import Synchronization
public import Tensors
public import Wire

/// Control connections over TCP. SwiftNIO moves the bytes, finds the frames and answers pings; nothing else
/// happens on its thread.
public final class TCPControlPlane: ControlPlane {
  private let group: MultiThreadedEventLoopGroup
  private let links: ControlLinks
  private let logger: Logger

  /// - Parameters:
  ///   - pulse: answers pings, on SwiftNIO's thread and without the sink; without it they are given to the sink.
  ///   - sink: called on a thread of SwiftNIO's; must not block.
  public init(logger: Logger, pulse: Pulse? = nil, sink: @escaping ControlSink) {
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    links = ControlLinks(pulse: pulse, sink: sink)
    self.logger = logger
  }

  deinit { group.shutdownGracefully { _ in } }

  public func dial(_ address: HostPort, timeout: Duration) -> LinkID {
    let link = links.add()
    let deadline = ContinuousClock.now + timeout
    let bootstrap = ClientBootstrap(group: group)
      .connectTimeout(TimeAmount(timeout))
      .channelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
      .channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { [links] channel in
        channel.eventLoop.makeCompletedFuture {
          let handler = ControlHandler(
            link: link, links: links, remote: address.description, deadline: deadline)
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
    bootstrap.connect(host: address.host, port: Int(address.port)).whenFailure { [links] error in
      links.closed(link, TransportError(.unreachable, "cannot reach \(address): \(Self.reason(error))"))
    }
    return link
  }

  /// Why a connection could not be made, in the system's words.
  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as IOError: return "\(SystemError(number: error.errnoCode))"
    case let error as NIOConnectionError:
      if let attempt = error.connectionErrors.first { return reason(attempt.error) }
      if let failure = error.dnsAError ?? error.dnsAAAAError { return "the host is not known (\(failure))" }
      return "no address to connect to"
    case ChannelError.connectTimeout: return "no answer"
    default: return "\(error)"
    }
  }

  /// Takes over an accepted connection whose prefaces have been exchanged; `opened` follows.
  public func adopt(_ descriptor: Int32, remote: String) {
    let link = links.add()
    let bootstrap = ClientBootstrap(group: group)
      .channelInitializer { [links] channel in
        channel.eventLoop.makeCompletedFuture {
          let handler = ControlHandler(link: link, links: links, remote: remote, deadline: nil)
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
    bootstrap.withConnectedSocket(descriptor).whenFailure { [links] error in
      links.closed(link, TransportError(.closed, "\(remote): \(error)"))
    }
  }

  public func send(_ message: ControlMessage, epoch: PlacementEpoch, term: CoordinatorTerm, on link: LinkID) {
    do throws(WireError) {
      links.send(try message.frame(epoch: epoch, term: term), on: link)
    } catch {
      logger.error("a message cannot be sent: \(error)")
      links.fail(link, TransportError(error, from: "message on \(link)"))
    }
  }

  public func close(_ link: LinkID) { links.close(link) }

  public func vitals(of link: LinkID) -> LinkVitals? { links.vitals(of: link) }

  public var counters: TrafficCounters { links.counters }

  /// Closes all links at once and ends SwiftNIO's thread; waits for it. No event comes afterwards.
  public func stop() async {
    links.stop()
    try? await group.shutdownGracefully()
  }
}

import NIOCore
import Wire

/// Finds prefaces and frames in what a control connection brings. Lives on its channel's event loop.
final class ControlHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let link: LinkID
  private let links: ControlLinks
  private let remote: String
  /// When a dialled connection must have brought the peer's preface; nil for an accepted one.
  private let deadline: ContinuousClock.Instant?
  private var isOpen: Bool
  private var decoder = FrameDecoder(plane: .control)
  private var buffer = ByteBuffer()
  private var error: TransportError?
  private var timer: Scheduled<Void>?

  init(link: LinkID, links: ControlLinks, remote: String, deadline: ContinuousClock.Instant?) {
    self.link = link
    self.links = links
    self.remote = remote
    self.deadline = deadline
    isOpen = deadline == nil
  }

  func channelActive(context: ChannelHandlerContext) {
    guard let deadline else { return links.opened(link, context.channel, remote: remote) }
    let preface = ByteBuffer(bytes: ConnectionPreface(plane: .control).bytes)
    context.channel.writeAndFlush(preface, promise: nil)
    let channel = context.channel
    let left = TimeAmount(max(deadline - ContinuousClock.now, .milliseconds(1)))
    let error = TransportError(
      .timedOut, "\(remote) accepts connections but does not answer: is a shoal process listening there?")
    timer = context.eventLoop.scheduleTask(in: left) { [links, link] in
      links.note(link, error)
      channel.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard error == nil else { return }
    var incoming = unwrapInboundIn(data)
    links.arrived(incoming.readableBytes, on: link)
    if buffer.readableBytes == 0 { buffer = incoming } else { buffer.writeBuffer(&incoming) }
    do throws(WireError) {
      if !isOpen, try readPreface() {
        isOpen = true
        timer?.cancel()
        links.opened(link, context.channel, remote: remote)
      }
      while isOpen, try readFrame() {}
    } catch {
      self.error = TransportError(error, from: remote)
      context.close(promise: nil)
    }
    buffer.discardReadBytes()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if self.error == nil { self.error = TransportError(.closed, "the connection to \(remote) broke: \(error)") }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    let ended =
      isOpen
      ? "\(remote) closed the connection" : "\(remote) closed the connection before it said who it is"
    links.closed(link, error ?? TransportError(.closed, ended))
    context.fireChannelInactive()
  }

  /// - Returns: false when it has not come in full.
  private func readPreface() throws(WireError) -> Bool {
    guard let bytes = buffer.readBytes(length: ConnectionPreface.byteCount) else { return false }
    let preface = try bytes.reading { (bytes) throws(WireError) in try ConnectionPreface(bytes) }
    guard preface.plane == .control else {
      throw WireError(.badValue, "the peer answered for its \(preface.plane) plane", offset: 6)
    }
    return true
  }

  private func readFrame() throws(WireError) -> Bool {
    guard buffer.readableBytes >= decoder.bytesNeeded else { return false }
    let result: Result<(FrameHeader, ControlMessage)?, WireError> = buffer.withUnsafeReadableBytes { bytes in
      do throws(WireError) {
        guard let header = try decoder.next(bytes) else { return .success(nil) }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<header.frameByteCount])
        return .success((header, try ControlMessage(type: header.type, payload: payload)))
      } catch {
        return .failure(error)
      }
    }
    // Nothing after a header alone: the rest of its frame has to come first.
    guard let (header, message) = try result.get() else { return buffer.readableBytes >= decoder.bytesNeeded }
    buffer.moveReaderIndex(forwardBy: header.frameByteCount)
    links.received(link, header, message)
    return true
  }
}

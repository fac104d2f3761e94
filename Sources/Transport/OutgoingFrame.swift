import Tensors
import Wire

/// A data frame that is about to be written, without its payload.
struct OutgoingFrame {
  let type: FrameType
  let flags: FrameHeader.Flags
  let epoch: PlacementEpoch
  let term: CoordinatorTerm
  let stream: UInt64
  let payloadBytes: Int

  var byteCount: Int { FrameHeader.byteCount + payloadBytes }
}

extension StreamBuffer {
  /// Writes a frame behind what waits; the payload is built in place, then the header in front of it.
  func append(_ frame: OutgoingFrame, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    let room = room(frame.byteCount)
    let payload = UnsafeMutableRawBufferPointer(rebasing: room[FrameHeader.byteCount..<frame.byteCount])
    fill(payload)
    FrameHeader(
      type: frame.type, flags: frame.flags, epoch: frame.epoch, term: frame.term, stream: frame.stream,
      payload: UnsafeRawBufferPointer(payload)
    ).write(to: room)
    self.fill(frame.byteCount)
  }
}

/// Finds the frames in a stream of bytes, however they were cut up on the way.
///
/// The owner keeps the buffer: it calls `next` with all bytes not yet consumed, and drops
/// `header.frameByteCount` bytes for each frame that comes back.
public struct FrameDecoder: Sendable {
  private let plane: ConnectionPlane
  private var header: FrameHeader?

  /// - Parameter plane: frames of other planes are refused.
  public init(plane: ConnectionPlane) { self.plane = plane }

  /// Bytes that must be there before `next` can say more.
  public var bytesNeeded: Int { header?.frameByteCount ?? FrameHeader.byteCount }

  /// The header of the frame at the start of `bytes`; its payload is the `payloadByteCount` bytes after the first 48.
  /// - Returns: nil when the frame is not complete yet.
  /// - Throws: `WireError` as soon as the header is wrong, or when the payload does not match its checksum. The
  ///   stream cannot be trusted afterwards.
  public mutating func next(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> FrameHeader? {
    guard bytes.count >= FrameHeader.byteCount else { return nil }
    let header: FrameHeader
    if let known = self.header {
      header = known
    } else {
      header = try FrameHeader(bytes)
      guard header.type.belongs(on: plane) else {
        throw WireError(.unknownType, "\(header.type) does not belong on a \(plane) connection", offset: 6)
      }
      self.header = header
    }
    guard bytes.count >= header.frameByteCount else { return nil }
    try header.check(payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<header.frameByteCount]))
    self.header = nil
    return header
  }
}

import ModelSpec
import Wire

extension BlockingFrames {
  /// Answers a request for a part of a piece: with its bytes, or with why they cannot be sent.
  /// - Parameters:
  ///   - byteCount: within the limit of a request.
  ///   - read: fills the memory with the bytes.
  func answer(
    _ piece: PieceID, offset: Int, byteCount: Int, read: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws(TransportError) {
    // Read apart from the frame, because a frame that has been begun cannot be taken back.
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
    defer { chunk.deallocate() }
    do {
      try read(chunk)
    } catch {
      return try send(.pieceRefused, PieceRefused(piece: piece, sentence: "\(error)"))
    }
    let head = PieceDataHead(piece: piece, offset: offset).payload
    try send(.pieceData, payloadBytes: head.count + chunk.count) { target in
      target.copyBytes(from: head)
      UnsafeMutableRawBufferPointer(rebasing: target[head.count...]).copyMemory(from: UnsafeRawBufferPointer(chunk))
    }
  }
}

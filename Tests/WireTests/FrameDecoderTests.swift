import Tensors
import Testing
import Wire

@Suite struct FrameDecoderTests {
  /// Feeds the stream in pieces and collects what comes out.
  private func frames(
    of stream: [UInt8], cutAt cuts: [Int], plane: ConnectionPlane = .data
  ) throws(WireError) -> [FrameHeader] {
    var decoder = FrameDecoder(plane: plane)
    var buffer: [UInt8] = []
    var result: [FrameHeader] = []
    var start = 0
    for end in cuts + [stream.count] {
      buffer += stream[start..<end]
      start = end
      while true {
        let header = try buffer.decoding { (bytes) throws(WireError) in try decoder.next(bytes) }
        guard let header else { break }
        result.append(header)
        buffer.removeFirst(header.frameByteCount)
      }
    }
    return result
  }

  private static let small = [
    DataSamples.frame(.exchangeFailed, ExchangeFailed(layer: 1, pass: 0, part: 0, sentence: "no").payload),
    DataSamples.frame(.combine, []),
    DataSamples.frame(.combine, DataSamples.combine()),
  ]

  @Test("three frames cut in two at every byte come out whole")
  func everySplit() throws {
    let stream = Self.small.flatMap { $0 }
    let expected = try frames(of: stream, cutAt: [])
    #expect(expected.count == 3)
    for cut in 0...stream.count { #expect(try frames(of: stream, cutAt: [cut]) == expected) }
  }

  @Test("three frames byte by byte come out whole")
  func dripFeed() throws {
    let stream = Self.small.flatMap { $0 }
    #expect(try frames(of: stream, cutAt: Array(1..<stream.count)) == frames(of: stream, cutAt: []))
  }

  @Test("every cut in three of a small frame comes out whole")
  func everyDoubleSplit() throws {
    let stream = Self.small[0]
    for first in 0..<stream.count {
      for second in first..<stream.count { #expect(try frames(of: stream, cutAt: [first, second]).count == 1) }
    }
  }

  @Test("a header is judged as soon as it is there, before its payload")
  func earlyRefusal() {
    var stream = Self.small[2]
    stream[24] ^= 1
    let head = Array(stream.prefix(FrameHeader.byteCount))
    #expect(throws: WireError.self) { try frames(of: head, cutAt: []) }
  }

  @Test("frames of another plane are refused")
  func otherPlane() {
    let error = #expect(throws: WireError.self) { try frames(of: Self.small[0], cutAt: [], plane: .control) }
    #expect(error?.code == .unknownType)
  }

  @Test("a frame with any byte of its payload changed is refused")
  func changedPayload() {
    for index in FrameHeader.byteCount..<Self.small[2].count {
      var stream = Self.small[2]
      stream[index] ^= 0x10
      #expect(throws: WireError.self) { try frames(of: stream, cutAt: []) }
    }
  }

  @Test("each plane carries its own types, and pieces connections three borrowed ones")
  func planes() throws {
    for type in FrameType.allCases {
      let frame = DataSamples.frame(type, [])
      for plane in ConnectionPlane.allCases {
        let isBorrowed = plane == .pieces && [.peerHello, .pieceData, .pieceRefused].contains(type)
        if type.plane == plane || isBorrowed {
          #expect(try frames(of: frame, cutAt: [], plane: plane).map(\.type) == [type])
        } else {
          #expect(throws: WireError.self) { try frames(of: frame, cutAt: [], plane: plane) }
        }
      }
    }
  }
}

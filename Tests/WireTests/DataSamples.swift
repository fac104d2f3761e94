import ModelSpec
import Scheduling
import Tensors
import Wire

/// Data frames made from small models, and random ones.
enum DataSamples {
  static let hiddenSize = 256
  static let expertCount = 16

  /// Three rows with 2, 0 and 3 choices, in all forms.
  static func dispatch(forms: ActivationForms = .all) -> [UInt8] {
    let layout = DispatchLayout(rowCount: 3, choiceCount: 5, forms: forms, hiddenSize: hiddenSize)
    var bytes = [UInt8](repeating: 0xEE, count: layout.byteCount)
    bytes.withUnsafeMutableBytes { bytes in
      let writer = DispatchWriter(bytes, layout: layout, layer: 4, pass: 1, part: 3)
      for (row, count) in [2, 0, 3].enumerated() {
        writer.setRow(row, exponent: Int32(row - 20), choiceCount: count)
        for form in ActivationForm.allCases where forms.contains(form) {
          fill(writer.activations(form, row: row), form, row)
        }
      }
      for choice in 0..<5 { writer.setChoice(choice, expert: Int32(3 * choice), weight: Float(choice) / 4) }
    }
    return bytes
  }

  private static func fill(_ target: UnsafeMutableRawPointer, _ form: ActivationForm, _ row: Int) {
    let scaleCount = hiddenSize / form.blockElements
    let first = form == .float32 ? 0 : hiddenSize
    for index in 0..<first {
      target.storeBytes(of: Int8(truncatingIfNeeded: index + row), toByteOffset: index, as: Int8.self)
    }
    for index in 0..<scaleCount {
      let value = Float(row) + Float(index) / 8
      target.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: first + 4 * index, as: UInt32.self)
    }
  }

  /// Four rows of 16 sums that need 2, 3, 4 and 8 bytes an element.
  static let sums: [Int64] = [Int64(1), 1 << 16, 1 << 24, 1 << 40].flatMap { scale in
    (0..<16).map { Int64($0 - 8) * scale }
  }

  static func combine(_ sums: [Int64] = DataSamples.sums, rowCount: Int = 4, hiddenSize: Int = 16) -> [UInt8] {
    var bytes = [UInt8](
      repeating: 0xEE, count: CombineWriter.byteCount(sums: sums, rowCount: rowCount, hiddenSize: hiddenSize))
    bytes.withUnsafeMutableBytes {
      CombineWriter.write($0, layer: 4, pass: 1, part: 250, sums: sums, rowCount: rowCount, hiddenSize: hiddenSize)
    }
    return bytes
  }

  static func handOver(entries: [StepEntry] = Samples.entries, hiddenSize: Int = 8) -> [UInt8] {
    let writer = HandOverWriter(
      pass: 0, passCount: entries.isEmpty ? 0 : 2, stage: 1, entries: entries,
      released: [SequenceID(rawValue: 10), SequenceID(rawValue: 9)])
    let rowCount = entries.reduce(0) { $0 + $1.rowCount }
    let rows = (0..<max(1, rowCount * hiddenSize)).map { Float($0) / 16 }
    var bytes = [UInt8](repeating: 0xEE, count: writer.byteCount(hiddenSize: hiddenSize))
    bytes.withUnsafeMutableBytes { writer.write($0, rows: rows, hiddenSize: hiddenSize) }
    return bytes
  }

  static let slab: [UInt8] = (0..<40).map { 5 * $0 }

  static func keyValues() -> [UInt8] {
    let writer = KeyValuesWriter(sequence: SequenceID(rawValue: 11), layer: 4, block: 2, byteCount: slab.count)
    var bytes = [UInt8](repeating: 0xEE, count: writer.byteCount)
    bytes.withUnsafeMutableBytes { target in slab.withUnsafeBytes { writer.write(target, bytes: $0) } }
    return bytes
  }

  /// A whole frame around a payload.
  static func frame(_ type: FrameType, _ payload: [UInt8], flags: FrameHeader.Flags = []) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.byteCount) + payload
    bytes.withUnsafeMutableBytes { bytes in
      FrameHeader(
        type: type, flags: flags, epoch: PlacementEpoch(rawValue: 7), term: CoordinatorTerm(rawValue: 2), stream: 99,
        payload: UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...])
      ).write(to: bytes)
    }
    return bytes
  }

  /// One of each data and weights type.
  static let frames: [(name: String, bytes: [UInt8])] = [
    ("dispatch", frame(.dispatch, dispatch(), flags: .prefill)),
    ("combine", frame(.combine, combine())),
    ("handOver", frame(.handOver, handOver())),
    (
      "exchangeFailed",
      frame(.exchangeFailed, ExchangeFailed(layer: 4, pass: 1, part: 3, sentence: "not finite").payload)
    ),
    (
      "peerHello",
      frame(
        .peerHello,
        PeerHello(
          cluster: Samples.cluster, term: CoordinatorTerm(rawValue: 2), sender: "cove", receiver: "reef"
        ).payload)
    ),
    ("keyValues", frame(.keyValues, keyValues())),
    ("keyValuesEnd", frame(.keyValuesEnd, KeyValuesEnd(slabCount: 3).payload)),
    ("pieceRequest", frame(.pieceRequest, PieceRequest(piece: .expert(3, 7), offset: 1 << 18, byteCount: 100).payload)),
    ("pieceData", frame(.pieceData, PieceDataHead(piece: .trunk(5), offset: 1 << 33).payload + [1, 2, 3])),
    (
      "storedPieceRequest",
      frame(
        .storedPieceRequest,
        StoredPieceRequest(
          model: Samples.digest, piece: .expert(3, 7), digest: Samples.digest, offset: 1 << 18, byteCount: 100
        ).payload)
    ),
    ("pieceRefused", frame(.pieceRefused, PieceRefused(piece: .header, sentence: "no such file").payload)),
  ]
}

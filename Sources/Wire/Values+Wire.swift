import ModelSpec
import Scheduling
import Tensors

extension Digest {
  func write(to writer: inout WireWriter) {
    bytes.withUnsafeBytes { writer.raw($0) }
  }

  init(from reader: inout WireReader) throws(WireError) {
    let start = reader.offset
    let bytes = try reader.raw(Digest.byteCount, "digest")
    guard let digest = Digest(bytes: bytes) else {
      throw WireError(.badValue, "a digest takes \(Digest.byteCount) bytes", offset: start)
    }
    self = digest
  }
}

extension PieceID {
  /// Bytes of a piece's name: kind u8, 3 zero, layer u32, expert u32.
  static let wireBytes = 12

  func write(to writer: inout WireWriter) {
    let (kind, layer, expert): (UInt8, Int, Int) =
      switch self {
      case .header: (0, 0, 0)
      case .embedding: (1, 0, 0)
      case .trunk(let layer): (2, layer.rawValue, 0)
      case .expert(let layer, let expert): (3, layer.rawValue, expert.rawValue)
      case .output: (4, 0, 0)
      }
    writer.u8(kind)
    writer.zeros(3)
    writer.int(layer)
    writer.int(expert)
  }

  init(from reader: inout WireReader) throws(WireError) {
    let kind = try reader.u8("kind of piece")
    try reader.zeros(3, "reserved")
    let hasLayer = kind == 2 || kind == 3
    let layer = LayerIndex(try reader.int("layer of a piece", in: 0...(hasLayer ? WireLimits.layers - 1 : 0)))
    let expert = ExpertIndex(try reader.int("expert of a piece", in: 0...(kind == 3 ? WireLimits.experts - 1 : 0)))
    switch kind {
    case 0: self = .header
    case 1: self = .embedding
    case 2: self = .trunk(layer)
    case 3: self = .expert(layer, expert)
    case 4: self = .output
    default: throw reader.bad("a piece has no kind \(kind)", back: Self.wireBytes)
    }
  }
}

extension SamplingParameters {
  func write(to writer: inout WireWriter) {
    for value in [temperature, topP, minP, repeatPenalty, frequencyPenalty, presencePenalty] { writer.float(value) }
    writer.u32(UInt32(clamping: topK))
    writer.u32(UInt32(clamping: penaltyWindow))
    writer.u64(seed)
  }

  init(from reader: inout WireReader) throws(WireError) {
    self.init()
    temperature = try reader.finiteFloat("temperature")
    topP = try reader.finiteFloat("top-p")
    minP = try reader.finiteFloat("min-p")
    repeatPenalty = try reader.finiteFloat("repeat penalty")
    frequencyPenalty = try reader.finiteFloat("frequency penalty")
    presencePenalty = try reader.finiteFloat("presence penalty")
    topK = Int(try reader.u32("top-k"))
    penaltyWindow = Int(try reader.u32("penalty window"))
    seed = try reader.u64("seed")
  }
}

public import Tensors

/// Makes the payload of a key-values frame: one layer of one KV block on its way to the layer's next host.
///
/// 0 sequence u64, 8 layer u16, 10 zero u16, 12 block u32, 16 byte count u32, 20 zero u32, then the bytes (docs/wire.md).
public struct KeyValuesWriter {
  /// Bytes in front of the keys and values.
  public static let headBytes = 24

  private let head: [UInt8]
  private let slabBytes: Int

  /// - Parameters:
  ///   - block: which of the sequence's blocks.
  ///   - byteCount: bytes of keys and values, 1 to `WireLimits.keyValueSlabBytes`.
  public init(sequence: SequenceID, layer: LayerIndex, block: Int, byteCount: Int) {
    precondition((1...WireLimits.keyValueSlabBytes).contains(byteCount), "keys and values of impossible size")
    var writer = WireWriter()
    writer.u64(sequence.rawValue)
    writer.u16(UInt16(layer.rawValue))
    writer.zeros(2)
    writer.int(block)
    writer.int(byteCount)
    writer.zeros(4)
    head = writer.take()
    slabBytes = byteCount
  }

  /// Bytes of the payload.
  public var byteCount: Int { head.count + slabBytes }

  /// Writes the payload.
  /// - Parameters:
  ///   - target: `byteCount` bytes.
  ///   - bytes: as many as were announced.
  public func write(_ target: UnsafeMutableRawBufferPointer, bytes: UnsafeRawBufferPointer) {
    precondition(target.count == byteCount && bytes.count == slabBytes, "keys and values of another size")
    head.withUnsafeBytes { target.copyMemory(from: $0) }
    UnsafeMutableRawBufferPointer(rebasing: target[head.count...]).copyMemory(from: bytes)
  }
}

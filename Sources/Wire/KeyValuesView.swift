public import Tensors

/// A key-values frame's payload; the keys and values stay where they are until they are copied out.
///
/// Whether layer, block and size are those of the receiver's cache is for its engine to say. The memory must outlive the
/// view.
public struct KeyValuesView {
  public let sequence: SequenceID
  public let layer: LayerIndex
  /// Which of the sequence's blocks.
  public let block: Int
  /// At least one byte, of any alignment.
  public let bytes: UnsafeRawBufferPointer

  /// Validates a payload.
  /// - Throws: `WireError` when it is empty, too long, or not as long as it says.
  public init(_ payload: UnsafeRawBufferPointer) throws(WireError) {
    var reader = WireReader(payload)
    sequence = SequenceID(rawValue: try reader.u64("sequence"))
    layer = LayerIndex(Int(try reader.u16("layer")))
    try reader.zeros(2, "reserved")
    block = Int(try reader.u32("block"))
    let byteCount = try reader.int("bytes of keys and values", in: 1...WireLimits.keyValueSlabBytes)
    try reader.zeros(4, "reserved")
    bytes = try reader.raw(byteCount, "keys and values")
    try reader.finish()
  }
}

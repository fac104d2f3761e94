/// Type of a metadata value as the format numbers them (the ggml project's docs/gguf.md, `gguf_metadata_value_type`).
public enum GGUFValueType: UInt32, Sendable, Hashable, CaseIterable {
  case uint8 = 0, int8 = 1, uint16 = 2, int16 = 3, uint32 = 4, int32 = 5, float32 = 6, bool = 7, string = 8, array = 9
  case uint64 = 10, int64 = 11, float64 = 12

  /// The fewest bytes a value takes: a string has at least its length, an array its type and count.
  var minimalBytes: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string: 8
    case .array: 12
    }
  }
}

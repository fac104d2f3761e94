public import GGUF

extension ModelSpec {
  /// The bytes of the piece `.header`: u32 count, then for each file u64 file size, u64 header size, the header's
  /// bytes; little-endian.
  public static func encodeHeaders(_ headers: [GGUFHeader]) -> [UInt8] {
    var bytes = littleEndian(UInt32(headers.count))
    for header in headers {
      bytes += littleEndian(UInt64(header.fileByteCount))
      bytes += littleEndian(UInt64(header.bytes.count))
      bytes += header.bytes
    }
    return bytes
  }

  /// Reads what `encodeHeaders` wrote; the headers themselves are still unparsed.
  /// - Throws: `ModelSpecError` when a length does not fit the bytes there are.
  public static func decodeHeaders(_ bytes: [UInt8]) throws(ModelSpecError) -> [GGUFHeader] {
    var rest = bytes[...]
    let count = try take(UInt32.self, from: &rest)
    guard count >= 1, count <= 4096 else {
      throw ModelSpecError(.badHeader, "the model's headers claim \(count) files; 1 to 4096 are allowed")
    }
    var headers: [GGUFHeader] = []
    for _ in 0..<count {
      let fileByteCount = try take(UInt64.self, from: &rest)
      let headerByteCount = try take(UInt64.self, from: &rest)
      guard headerByteCount <= UInt64(rest.count), let fileSize = Int(exactly: fileByteCount) else {
        throw ModelSpecError(.badHeader, "the model's headers are cut short")
      }
      let header = rest.prefix(Int(headerByteCount))
      rest = rest.dropFirst(header.count)
      headers.append(GGUFHeader(path: "", fileByteCount: fileSize, bytes: Array(header)))
    }
    guard rest.isEmpty else { throw ModelSpecError(.badHeader, "there are bytes behind the model's headers") }
    return headers
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func take<Value: FixedWidthInteger & UnsignedInteger>(
    _: Value.Type, from bytes: inout ArraySlice<UInt8>
  ) throws(ModelSpecError) -> Value {
    let size = MemoryLayout<Value>.size
    guard bytes.count >= size else { throw ModelSpecError(.badHeader, "the model's headers are cut short") }
    let value = bytes.prefix(size).reversed().reduce(Value(0)) { $0 << 8 | Value($1) }
    bytes = bytes.dropFirst(size)
    return value
  }
}

import Wire

extension [UInt8] {
  /// Lends the bytes to a decoder, whose error stays typed.
  func reading<Value>(_ body: (UnsafeRawBufferPointer) throws(WireError) -> Value) throws(WireError) -> Value {
    let result: Result<Value, WireError> = withUnsafeBytes { bytes in
      do throws(WireError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

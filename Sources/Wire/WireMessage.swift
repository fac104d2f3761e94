/// A payload that can be written and read.
public protocol WireMessage: Sendable, Hashable {
  /// Appends the payload.
  func write(to writer: inout WireWriter)
  /// Reads the payload; whoever calls it checks that nothing is left over.
  init(from reader: inout WireReader) throws(WireError)
}

extension WireMessage {
  /// Reads a payload that is exactly `bytes`.
  public init(payload bytes: UnsafeRawBufferPointer) throws(WireError) {
    var reader = WireReader(bytes)
    self = try Self(from: &reader)
    try reader.finish()
  }

  /// The payload on its own.
  public var payload: [UInt8] {
    var writer = WireWriter()
    write(to: &writer)
    return writer.take()
  }
}

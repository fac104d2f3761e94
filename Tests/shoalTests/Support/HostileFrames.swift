import Wire

/// Bytes that no peer should send.
enum HostileFrames {
  /// The right preface, then the header of a frame that announces 2^62 bytes, its checksum right.
  static func huge(plane: ConnectionPlane) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 48)
    header.replaceSubrange(0..<4, with: bytes(ConnectionPreface.magic))
    header.replaceSubrange(4..<6, with: bytes(ConnectionPreface.currentVersion))
    header[6] = 1
    header.replaceSubrange(24..<32, with: bytes(UInt64(1) << 62))
    let checksum = header[..<40].withUnsafeBytes { XXH64.hash($0) }
    header.replaceSubrange(40..<48, with: bytes(checksum))
    return ConnectionPreface(plane: plane).bytes + header + [UInt8](repeating: 0xAA, count: 1000)
  }

  /// As `huge`, but with the largest length that the length's own field can hold.
  static func largest(plane: ConnectionPlane) -> [UInt8] {
    var frame = huge(plane: plane)
    frame.replaceSubrange(8 + 24..<8 + 32, with: bytes(UInt64(UInt32.max)))
    let checksum = frame[8..<48].withUnsafeBytes { XXH64.hash($0) }
    frame.replaceSubrange(48..<56, with: bytes(checksum))
    return frame
  }

  private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}

/// Which of the planes a connection belongs to.
public enum ConnectionPlane: UInt8, Sendable, Hashable, CaseIterable {
  case control = 1
  case data = 2
  case weights = 3
  /// Weights as well, but between workers: the dialer asks.
  case pieces = 4
}

/// The first 8 bytes each side of a connection sends, before any frame.
///
/// Both sides send it at once and check the other's, so that a version mismatch is known to both.
public struct ConnectionPreface: Sendable, Hashable {
  public static let byteCount = 8
  /// "SHOL" as a little-endian u32; also the magic of every frame.
  public static let magic: UInt32 = 0x4C4F_4853
  /// Version of the protocol this build speaks.
  public static let currentVersion: UInt16 = 4

  public let version: UInt16
  public let plane: ConnectionPlane

  public init(plane: ConnectionPlane, version: UInt16 = ConnectionPreface.currentVersion) {
    self.plane = plane
    self.version = version
  }

  /// Always `byteCount` bytes.
  public var bytes: [UInt8] {
    var writer = WireWriter()
    writer.u32(Self.magic)
    writer.u16(version)
    writer.u8(plane.rawValue)
    writer.u8(0)
    return writer.bytes
  }

  /// Reads the preface of a peer.
  /// - Throws: `badMagic` when this is no Shoal peer, `versionMismatch` when it speaks another version (the message
  ///   names both), `badValue` for an unknown plane.
  public init(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    var reader = WireReader(bytes)
    guard try reader.u32("magic") == Self.magic else {
      throw WireError(.badMagic, "the peer does not speak the Shoal protocol: its first bytes are not SHOL", offset: 0)
    }
    version = try reader.u16("version")
    guard version == Self.currentVersion else {
      throw WireError(
        .versionMismatch,
        "the peer speaks version \(version) of the protocol, this side speaks version \(Self.currentVersion): "
          + "run the same release of shoal on both", offset: 4)
    }
    plane = try reader.enumeration("plane")
    try reader.zeros(1, "last byte of the preface")
    try reader.finish()
  }
}

public import Tensors

/// The 48 bytes in front of every payload.
///
/// Layout, little-endian: 0 magic u32, 4 version u16, 6 type u8, 7 flags u8, 8 epoch u32, 12 term u32, 16 stream u64,
/// 24 payload length u32, 28 zero u32, 32 XXH64 of the payload, 40 XXH64 of bytes 0..<40 (docs/wire.md).
public struct FrameHeader: Sendable, Hashable {
  public static let byteCount = 48

  /// Bits of the flags byte.
  public struct Flags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The frame belongs to a prefill step and may wait for decode steps.
    public static let prefill = Flags(rawValue: 1)
    /// All bits that have a meaning.
    public static let known: Flags = [.prefill]
  }

  public let type: FrameType
  public let flags: Flags
  /// Placement under which the frame was made.
  public let epoch: PlacementEpoch
  /// Coordinator under which the frame was made.
  public let term: CoordinatorTerm
  /// Step, job or request the frame belongs to; 0 when none.
  public let stream: UInt64
  public let payloadByteCount: Int
  /// XXH64 of the payload.
  public let payloadChecksum: UInt64

  /// The header for this payload, whose length and checksum it takes.
  public init(
    type: FrameType, flags: Flags = [], epoch: PlacementEpoch, term: CoordinatorTerm, stream: UInt64,
    payload: UnsafeRawBufferPointer
  ) {
    self.type = type
    self.flags = flags
    self.epoch = epoch
    self.term = term
    self.stream = stream
    payloadByteCount = payload.count
    payloadChecksum = XXH64.hash(payload)
  }

  /// Bytes of the whole frame.
  public var frameByteCount: Int { Self.byteCount + payloadByteCount }

  /// Writes the header into the first 48 bytes of `target`; the payload must not pass the limit of its type.
  public func write(to target: UnsafeMutableRawBufferPointer) {
    precondition(target.count >= Self.byteCount, "a header takes \(Self.byteCount) bytes")
    precondition(payloadByteCount <= type.payloadLimit, "payload of \(type) over its limit")
    func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ offset: Int) {
      target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
    store(ConnectionPreface.magic, 0)
    store(ConnectionPreface.currentVersion, 4)
    store(type.rawValue, 6)
    store(flags.rawValue, 7)
    store(epoch.rawValue, 8)
    store(term.rawValue, 12)
    store(stream, 16)
    store(UInt32(payloadByteCount), 24)
    store(UInt32(0), 28)
    store(payloadChecksum, 32)
    store(XXH64.hash(UnsafeRawBufferPointer(rebasing: target[..<40])), 40)
  }

  /// Reads and validates the header in the first 48 bytes of `bytes`, before anything of the payload is looked at.
  /// - Throws: `WireError` when fewer bytes are there, or magic, version, checksum, type, length or a reserved field
  ///   is wrong.
  public init(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    guard bytes.count >= Self.byteCount else {
      throw WireError(.truncated, "a frame header takes \(Self.byteCount) bytes, \(bytes.count) are there", offset: 0)
    }
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> T {
      T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }
    guard load(0) == ConnectionPreface.magic else {
      throw WireError(.badMagic, "a frame does not begin with SHOL", offset: 0)
    }
    let version: UInt16 = load(4)
    guard version == ConnectionPreface.currentVersion else {
      throw WireError(
        .versionMismatch,
        "the frame is of protocol version \(version), this side speaks version "
          + "\(ConnectionPreface.currentVersion): run the same release of shoal on both", offset: 4)
    }
    guard load(40) == XXH64.hash(UnsafeRawBufferPointer(rebasing: bytes[..<40])) else {
      throw WireError(.checksumMismatch, "the checksum of the frame header does not match", offset: 40)
    }
    let number: UInt8 = load(6)
    guard let type = FrameType(rawValue: number) else {
      throw WireError(.unknownType, "no frame type has number \(number)", offset: 6)
    }
    self.type = type
    flags = Flags(rawValue: load(7))
    guard flags.isSubset(of: .known) else {
      throw WireError(.badValue, "unknown flags \(flags.rawValue)", offset: 7)
    }
    epoch = PlacementEpoch(rawValue: load(8))
    term = CoordinatorTerm(rawValue: load(12))
    stream = load(16)
    let length: UInt32 = load(24)
    guard length <= type.payloadLimit else {
      throw WireError(
        .overLimit, "\(type) announces \(length) bytes, at most \(type.payloadLimit) are allowed", offset: 24)
    }
    payloadByteCount = Int(length)
    guard load(28) == UInt32(0) else { throw WireError(.badValue, "reserved field is not zero", offset: 28) }
    payloadChecksum = load(32)
  }

  /// Fails when `payload` is not what the header's checksum was made of.
  public func check(payload: UnsafeRawBufferPointer) throws(WireError) {
    guard payload.count == payloadByteCount, XXH64.hash(payload) == payloadChecksum else {
      throw WireError(
        .checksumMismatch, "the payload of a \(type) frame does not match its checksum", offset: Self.byteCount)
    }
  }
}

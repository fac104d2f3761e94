import Tensors

/// The pieces that a process has in use, as its file in the store's folder `pins` lists them.
///
/// Little-endian: "SHPN", u32 version (1), u64 stamp, then the digests of 32 bytes each. The name of the file begins with
/// the process id. The file is locked while the process lives, and replaced as a whole when its pins change.
struct PinList: Equatable {
  static let magic = Array("SHPN".utf8)
  static let version: UInt32 = 1
  static let headerBytes = 4 + 4 + 8
  /// Most digests that are read; a trillion parameters are some 30 000 pieces.
  static let limit = 1 << 20

  /// Drawn anew for each version of the file, so that an unchanged one is not read again.
  let stamp: UInt64
  let digests: Set<Digest>

  init(stamp: UInt64 = .random(in: 0 ... .max), _ digests: Set<Digest>) {
    self.stamp = stamp
    self.digests = digests
  }

  func encoded() -> [UInt8] {
    var encoder = ManifestEncoder(bytes: Self.magic)
    encoder.bytes.reserveCapacity(Self.headerBytes + digests.count * Digest.byteCount)
    encoder.append(Self.version)
    encoder.append(stamp)
    for digest in digests { encoder.bytes += digest.bytes }
    return encoder.bytes
  }

  /// Nil when the bytes are no such list. A digest that is cut off is left out, and so is what passes the limit.
  static func decoded(_ bytes: [UInt8]) -> PinList? {
    guard let stamp = stamp(ofHeader: bytes) else { return nil }
    let content = bytes[headerBytes...]
    let count = min(limit, content.count / Digest.byteCount)
    let digests = (0..<count).compactMap {
      Digest(bytes: content.dropFirst($0 * Digest.byteCount).prefix(Digest.byteCount))
    }
    return PinList(stamp: stamp, Set(digests))
  }

  /// The stamp in the first bytes of a list; nil when they are none of a list.
  static func stamp(ofHeader bytes: [UInt8]) -> UInt64? {
    var decoder = ManifestDecoder(bytes: bytes[...])
    guard decoder.take(4) == magic[...], decoder.integer(UInt32.self) == version else { return nil }
    return decoder.integer(UInt64.self)
  }

  /// A name for the file of this process, which no other one takes.
  static func fileName(processID: Int32) -> String {
    "\(processID)-" + String(UInt64.random(in: 0 ... .max), radix: 16)
  }

  /// The process whose file has that name; nil when it is no name of such a file.
  static func processID(ofFileName name: String) -> Int32? {
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let processID = Int32(parts[0]), UInt64(parts[1], radix: 16) != nil else { return nil }
    return processID
  }
}

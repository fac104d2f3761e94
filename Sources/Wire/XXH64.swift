/// The 64-bit hash of the xxHash family, seed 0; guards frames against damage, not against forgery.
///
/// Source: "xxHash fast digest algorithm", doc/xxhash_spec.md of the xxHash project.
public enum XXH64 {
  private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

  /// Hash of `bytes`, wherever they lie.
  public static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    guard let base = bytes.baseAddress, !bytes.isEmpty else {
      return avalanche(seed &+ prime5)
    }
    var position = 0
    var hash: UInt64
    if bytes.count >= 32 {
      let stripes = bytes.count / 32
      hash = lanes(base, stripes: stripes, seed: seed)
      position = 32 * stripes
    } else {
      hash = seed &+ prime5
    }
    hash &+= UInt64(bytes.count)
    return avalanche(tail(hash, base + position, bytes.count - position))
  }

  /// Four lanes of 8 bytes each, merged.
  private static func lanes(_ base: UnsafeRawPointer, stripes: Int, seed: UInt64) -> UInt64 {
    var lane1 = seed &+ prime1 &+ prime2
    var lane2 = seed &+ prime2
    var lane3 = seed
    var lane4 = seed &- prime1
    var pointer = base
    for _ in 0..<stripes {
      lane1 = round(lane1, load64(pointer))
      lane2 = round(lane2, load64(pointer + 8))
      lane3 = round(lane3, load64(pointer + 16))
      lane4 = round(lane4, load64(pointer + 24))
      pointer += 32
    }
    var hash = rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
    hash = merge(hash, lane1)
    hash = merge(hash, lane2)
    hash = merge(hash, lane3)
    return merge(hash, lane4)
  }

  /// The last bytes, fewer than 32.
  private static func tail(_ start: UInt64, _ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    var hash = start
    var pointer = base
    var left = count
    while left >= 8 {
      hash = rotate(hash ^ round(0, load64(pointer)), 27) &* prime1 &+ prime4
      pointer += 8
      left -= 8
    }
    if left >= 4 {
      let word = UInt64(UInt32(littleEndian: pointer.loadUnaligned(as: UInt32.self)))
      hash = rotate(hash ^ (word &* prime1), 23) &* prime2 &+ prime3
      pointer += 4
      left -= 4
    }
    while left > 0 {
      hash = rotate(hash ^ (UInt64(pointer.load(as: UInt8.self)) &* prime5), 11) &* prime1
      pointer += 1
      left -= 1
    }
    return hash
  }

  @inline(__always)
  private static func load64(_ pointer: UnsafeRawPointer) -> UInt64 {
    UInt64(littleEndian: pointer.loadUnaligned(as: UInt64.self))
  }

  @inline(__always)
  private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
    (value &<< count) | (value &>> (64 &- count))
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
    rotate(lane &+ input &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 {
    (hash ^ round(0, lane)) &* prime1 &+ prime4
  }

  private static func avalanche(_ value: UInt64) -> UInt64 {
    var hash = value
    hash ^= hash >> 33
    hash = hash &* prime2
    hash ^= hash >> 29
    hash = hash &* prime3
    return hash ^ (hash >> 32)
  }
}

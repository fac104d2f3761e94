#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A fixed block of zeroed memory, 64-byte aligned, freed with its owner. Not `Sendable`: one thread owns it.
public final class AlignedBuffer {
  public static let alignment = 64
  public let byteCount: Int
  public let base: UnsafeMutableRawPointer

  /// - Parameter byteCount: size in bytes; must not be negative.
  public init(byteCount: Int) {
    precondition(byteCount >= 0, "negative buffer size")
    var pointer: UnsafeMutableRawPointer?
    let size = max(byteCount, Self.alignment)
    guard posix_memalign(&pointer, Self.alignment, size) == 0, let pointer else {
      preconditionFailure("out of memory: \(size) bytes")
    }
    memset(pointer, 0, size)
    self.byteCount = byteCount
    self.base = pointer
  }

  deinit { free(base) }

  /// The memory as float32; valid while this buffer lives.
  public var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
  /// The memory as int64; valid while this buffer lives.
  public var int64s: UnsafeMutablePointer<Int64> { base.assumingMemoryBound(to: Int64.self) }
}

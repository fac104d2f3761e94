#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What Linux knows of a TCP connection: `struct tcp_info` of linux/tcp.h. The C library's is shorter, so its fields are
/// read by their offsets; those that a kernel does not know are 0.
struct TCPInfo: Sendable {
  /// The option's number.
  static let option = TCP_INFO
  /// Up to and including `tcpi_bytes_received`.
  private static let neededBytes = 136

  // 256 bytes.
  private typealias Words = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
  private var words: (Words, Words, Words, Words)

  /// Asks the system; nil when the socket is none of TCP or the kernel too old.
  init?(of descriptor: Int32) {
    let zeros: Words = (0, 0, 0, 0, 0, 0, 0, 0)
    words = (zeros, zeros, zeros, zeros)
    var length = socklen_t(MemoryLayout<TCPInfo>.size)
    let status = withUnsafeMutableBytes(of: &words) {
      getsockopt(descriptor, Int32(IPPROTO_TCP), Self.option, $0.baseAddress, &length)
    }
    guard status == 0, length >= Self.neededBytes else { return nil }
  }

  private func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type) -> UInt64 {
    withUnsafeBytes(of: words) { UInt64($0.loadUnaligned(fromByteOffset: offset, as: type)) }
  }

  /// Bytes of ours that the peer's system has (`tcpi_bytes_acked`).
  var acknowledged: UInt64 { load(120, as: UInt64.self) }
  /// Bytes that have arrived (`tcpi_bytes_received`).
  var received: UInt64 { load(128, as: UInt64.self) }

  /// Whether something has been sent that is not acknowledged (`tcpi_unacked`).
  var isUnderWay: Bool { load(24, as: UInt32.self) > 0 }

  /// Bytes that the system holds for the peer, sent or not. The acknowledged ones may count the handshake as a byte, so
  /// that those under way are known to one byte; whether there are any is exact (`tcpi_unacked`).
  var pending: UInt64 {
    let unsent = load(144, as: UInt32.self)
    guard isUnderWay else { return unsent }
    let sentOnce = load(200, as: UInt64.self) &- load(208, as: UInt64.self)
    return unsent + (sentOnce > acknowledged ? sentOnce - acknowledged : 1)
  }
}

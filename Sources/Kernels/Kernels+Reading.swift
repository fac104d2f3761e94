import CKernels

extension Kernels {
  /// Memory that `sumWords` reads comes in multiples of this many bytes.
  public static let readUnit = 512

  /// Reads memory as fast as the instruction set allows, to learn how fast that is.
  /// - Parameter byteCount: a multiple of `readUnit`.
  /// - Returns: the sum, modulo 2^64, of the 64-bit words; the same for all instruction sets.
  public func sumWords(_ base: UnsafeRawPointer, byteCount: Int) -> UInt64 {
    precondition(byteCount % Self.readUnit == 0, "\(byteCount) bytes are no multiple of \(Self.readUnit)")
    return switch instructionSet {
    #if arch(x86_64)
      case .avx2, .avxvnni: ck_sum_words_avx2(base, byteCount)
      case .avx512: ck_sum_words_avx512(base, byteCount)
    #endif
    default: ck_sum_words(base, byteCount)
    }
  }
}

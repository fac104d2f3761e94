/// Family of machine instructions that kernels can be written in. All of them give the same bits.
public enum InstructionSet: String, Sendable, CaseIterable, CustomStringConvertible {
  /// The Swift reference, which defines the bits; runs on every machine.
  case scalar
  /// x86-64 with AVX2, FMA and F16C.
  case avx2
  /// AVX2 with the dot products of bytes of AVX-VNNI, or else of AVX-512 VNNI in vectors of the same 256 bits.
  case avxvnni
  /// x86-64 with AVX-512 F, BW, VL, DQ and VNNI.
  case avx512
  /// arm64 Advanced SIMD, with DotProd and I8MM where the CPU has them.
  case neon

  public var description: String { rawValue }
}

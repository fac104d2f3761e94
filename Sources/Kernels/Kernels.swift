import CKernels
public import Tensors

/// The kernels of one instruction set, which compute the forward pass on plain memory.
///
/// All instruction sets give the same bits (docs/numerics.md). Nothing here allocates, locks or keeps state: every
/// method may be called from any thread, on memory that the caller keeps apart from what other threads write.
/// Pointers need no alignment beyond that of their type; 64 bytes are fastest.
public struct Kernels: Sendable {
  /// Version of the arithmetic. Raised by every change that can alter a bit of any result; nodes of different
  /// versions do not work together.
  public static let numericsVersion: UInt32 = 1

  /// Weight types that can be computed with.
  public static let supportedTypes: Set<QuantType> = QuantizedKernels.supportedTypes.union([.f32, .f16, .bf16])

  /// Instruction sets that this build has kernels for and this machine can run, slowest first.
  public static let available: [InstructionSet] = {
    let features = ck_cpu_features()
    var sets: [InstructionSet] = [.scalar]
    if features & CK_CPU_AVX2 != 0 { sets.append(.avx2) }
    if features & (CK_CPU_AVXVNNI | CK_CPU_AVX512) != 0 { sets.append(.avxvnni) }
    if features & CK_CPU_AVX512 != 0 { sets.append(.avx512) }
    if features & CK_CPU_NEON != 0 { sets.append(.neon) }
    return sets
  }()

  public let instructionSet: InstructionSet
  let float: FloatKernels
  let quantized: QuantizedKernels
  /// A table rather than a dictionary, as a product may be as short as a microsecond.
  let multiplies: [QuantizedKernels.Multiply?]
  /// Likewise for weights in panels.
  let panelMultiplies: [QuantizedKernels.Multiply?]

  /// Chooses kernels.
  /// - Parameter request: the instruction set to use; nil for the fastest of this machine.
  /// - Throws: `KernelError` when the machine lacks the instruction set; the message names those it has.
  public static func select(_ request: InstructionSet? = nil) throws(KernelError) -> Kernels {
    let chosen = request ?? available.last ?? .scalar
    guard available.contains(chosen), let kernels = Kernels(chosen) else {
      throw KernelError.missing(chosen, available: available)
    }
    return kernels
  }

  private init?(_ instructionSet: InstructionSet) {
    switch instructionSet {
    case .scalar: (float, quantized) = (.scalar, .scalar)
    #if arch(x86_64)
      case .avx2: (float, quantized) = (.avx2, .avx2)
      case .avxvnni: (float, quantized) = (.avx2, .avxVNNI)
      case .avx512: (float, quantized) = (.avx512, .avx512)
    #elseif arch(arm64)
      case .neon: (float, quantized) = (.neon, .neon)
    #endif
    default: return nil
    }
    self.instructionSet = instructionSet
    multiplies = Self.table { [float, quantized] in Self.multiply($0, float, quantized) }
    panelMultiplies = Self.table { [quantized] in quantized.panelMultiplies[$0] }
  }
}

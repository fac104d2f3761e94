/// Why kernels could not be chosen.
public struct KernelError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// The machine lacks the instruction set that was asked for.
    case instructionSetMissing
  }

  public let code: Code
  /// What is wrong and what to do, as a sentence.
  public let message: String

  public var description: String { message }

  static func missing(_ wanted: InstructionSet, available: [InstructionSet]) -> KernelError {
    let names = available.map(\.rawValue).joined(separator: ", ")
    return KernelError(
      code: .instructionSetMissing,
      message: "this machine has no \(wanted) kernels; it has \(names): choose one of these, or auto")
  }
}

import CKernels
import Foundation
import Testing

/// The NEON kernels under emulation, for machines that are no arm64; on arm64 the other suites run them.
@Suite(
  "NEON under emulation",
  .enabled(if: CrossTools.missing == nil, Comment(rawValue: CrossTools.missing ?? "")))
struct NeonTests {
  /// A CPU of qemu, and what the kernels' check must find in it.
  struct CPU: Sendable, CustomTestStringConvertible {
    let name: String
    let features: UInt32
    var testDescription: String { name }
  }

  static let cpus = [
    CPU(name: "max", features: CK_CPU_NEON | CK_CPU_DOTPROD | CK_CPU_I8MM),
    CPU(name: "neoverse-n1", features: CK_CPU_NEON | CK_CPU_DOTPROD),
    CPU(name: "cortex-a72", features: CK_CPU_NEON),
  ]

  @Test("every kernel has the reference's bits, on CPUs with and without I8MM and DotProd")
  func bits() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "shoal-neon-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let driver = try CrossTools.build(in: folder)

    let cases = CrossCases.all
    var encoded: [UInt8] = []
    for some in cases { some.encode(into: &encoded) }
    let input = folder.appending(path: "cases")
    try Data(encoded).write(to: input)
    let expected = cases.map { $0.reference() }
    #expect(expected.count { $0.result == 0 } > 50 && expected.count { $0.result == 1 } > 1000)

    for cpu in Self.cpus {
      let answer = try CrossTools.answer(of: driver, cpu: cpu.name, input: input)
      let reader = AnswerReader(bytes: answer)
      var offset = 0
      #expect(reader.number(&offset) == Int(cpu.features), "\(cpu.name)")
      var different: [String] = []
      for (some, answer) in zip(cases, expected) {
        let found = reader.answer(&offset, like: answer)
        if found.map(answer.isSame(as:)) != true { different.append(some.name) }
      }
      #expect(offset == answer.count, "\(cpu.name): the answer has another length")
      let count = different.count
      #expect(count == 0, "\(cpu.name): they differ, such as \(different.prefix(5))")
    }
  }

  @Test("an answer with one bit changed is not taken for the reference's")
  func oneBit() throws {
    let some = try #require(CrossCases.all.first { $0.operation == .swiGLU })
    let answer = some.reference()
    var bytes = answer.bytes
    bytes[0] ^= 1
    #expect(answer.isSame(as: answer))
    #expect(!answer.isSame(as: CrossAnswer(result: 1, bytes: bytes, makesFloats: true)))
    #expect(!answer.isSame(as: CrossAnswer(result: 0, bytes: answer.bytes, makesFloats: true)))
  }
}

/// Takes the driver's answers one after the other.
struct AnswerReader {
  let bytes: [UInt8]

  /// The number at an offset, which moves behind it; nil when the bytes end before.
  func number(_ offset: inout Int) -> Int? {
    guard offset + 8 <= bytes.count else { return nil }
    defer { offset += 8 }
    return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int.self) }
  }

  func answer(_ offset: inout Int, like expected: CrossAnswer) -> CrossAnswer? {
    guard let result = number(&offset), offset + expected.bytes.count <= bytes.count else { return nil }
    defer { offset += expected.bytes.count }
    return CrossAnswer(
      result: result, bytes: Array(bytes[offset..<offset + expected.bytes.count]), makesFloats: expected.makesFloats)
  }
}

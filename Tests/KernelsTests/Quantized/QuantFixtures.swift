import Foundation
import Tensors

/// The golden quantized rows in Tests/Fixtures/quants: 16 rows of 512 elements of each type.
struct QuantFixtures {
  static let rows = 16
  static let columns = 512
  private let folder: URL

  init() {
    folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Fixtures/quants")
  }

  /// The GGUF bytes of all rows.
  func quantized(_ type: QuantType) throws -> [UInt8] {
    try Array(Data(contentsOf: folder.appendingPathComponent("\(type.name).q")))
  }

  /// The same rows as ggml dequantizes them.
  func dequantized(_ type: QuantType) throws -> [Float] { try floats("\(type.name).f32") }

  /// The product of each row with `activation`, computed in float64.
  func dots(_ type: QuantType) throws -> [Float] { try floats("\(type.name).dot.f32") }

  /// One row of activations.
  func activation() throws -> [Float] { try floats("activation.f32") }

  private func floats(_ name: String) throws -> [Float] {
    let bytes = try Array(Data(contentsOf: folder.appendingPathComponent(name)))
    return stride(from: 0, to: bytes.count, by: 4).map { start in
      Float(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) })
    }
  }
}

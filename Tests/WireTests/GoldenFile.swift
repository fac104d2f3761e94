import Foundation
import Testing

/// Frames as they were when this version of the protocol was fixed.
enum GoldenFile {
  /// The bytes of a golden frame.
  static func bytes(_ name: String) throws -> [UInt8] {
    let text = try #require(GoldenFrames.hex[name] ?? SwitchFrames.hex[name], "there is no golden frame \(name)")
    let digits = Array(text.filter { !$0.isWhitespace })
    return try stride(from: 0, to: digits.count, by: 2).map { index in
      try #require(UInt8(String(digits[index...index + 1]), radix: 16))
    }
  }

  /// 32 bytes a line.
  static func hex(_ bytes: [UInt8]) -> String {
    stride(from: 0, to: bytes.count, by: 32).map { start in
      bytes[start..<min(start + 32, bytes.count)].map { String(format: "%02x", $0) }.joined()
    }.joined(separator: "\n")
  }
}

import Foundation
import GGUF
import Tensors
import Testing

/// Writes header fields as they are told, right or wrong, and notes where lengths, counts and sizes stand.
struct RawHeader {
  var bytes: [UInt8] = []
  /// Offsets of uint64 lengths, counts, sizes and offsets.
  private(set) var wide: [Int] = []
  /// Offsets of uint32 counts and type numbers.
  private(set) var narrow: [Int] = []

  init(magic: String = "GGUF", version: UInt32 = 3, tensors: UInt64, keys: UInt64) {
    bytes += Array(magic.utf8)
    narrow(version)
    wide(tensors)
    wide(keys)
  }

  mutating func number<Number: FixedWidthInteger>(_ number: Number) {
    withUnsafeBytes(of: number.littleEndian) { bytes += Array($0) }
  }

  mutating func wide(_ value: UInt64) {
    wide.append(bytes.count)
    number(value)
  }

  mutating func narrow(_ value: UInt32) {
    narrow.append(bytes.count)
    number(value)
  }

  mutating func string(_ string: String) { self.string(Array(string.utf8)) }

  mutating func string(_ utf8: [UInt8]) {
    wide(UInt64(utf8.count))
    bytes += utf8
  }

  mutating func key(_ name: String, _ type: GGUFValueType) {
    string(name)
    narrow(type.rawValue)
  }

  mutating func arrayKey(_ name: String, _ type: GGUFValueType, count: UInt64) {
    key(name, .array)
    narrow(type.rawValue)
    wide(count)
  }

  mutating func tensor(_ name: String, _ sizes: [UInt64], type: UInt32 = 0, offset: UInt64) {
    string(name)
    narrow(UInt32(sizes.count))
    for size in sizes { wide(size) }
    narrow(type)
    wide(offset)
  }

  /// Zeros up to the next multiple of `alignment`, then `data` more.
  mutating func finish(alignment: Int = 32, data: Int = 0) {
    while bytes.count % alignment != 0 { bytes.append(0) }
    bytes += [UInt8](repeating: 0, count: data)
  }

  /// One key of every type, three tensors, 32-byte alignment; `dataBytes` of tensor data follow.
  static func sample() -> RawHeader {
    var raw = RawHeader(tensors: 3, keys: 16)
    raw.key("general.alignment", .uint32)
    raw.number(UInt32(32))
    raw.key("a", .uint8)
    raw.number(UInt8(200))
    raw.key("b", .int8)
    raw.number(Int8(-7))
    raw.key("c", .uint16)
    raw.number(UInt16(60_000))
    raw.key("d", .int16)
    raw.number(Int16(-300))
    raw.key("e", .int32)
    raw.number(Int32(-70_000))
    raw.key("f", .float32)
    raw.number(Float(1.5).bitPattern)
    raw.key("g", .bool)
    raw.number(UInt8(1))
    raw.key("h", .string)
    raw.string("fjörd")
    raw.key("i", .uint64)
    raw.number(UInt64.max)
    raw.key("j", .int64)
    raw.number(Int64.min)
    raw.key("k", .float64)
    raw.number(Double(0.1).bitPattern)
    raw.arrayKey("l", .string, count: 2)
    raw.string("one")
    raw.string("")
    raw.arrayKey("m", .float32, count: 2)
    raw.number(Float(2).bitPattern)
    raw.number(Float(-3).bitPattern)
    raw.arrayKey("n", .int32, count: 1)
    raw.number(Int32(-1))
    raw.arrayKey("o", .bool, count: 3)
    raw.bytes += [0, 1, 0]
    raw.tensor("x", [3], offset: 0)
    raw.tensor("y.weight", [32, 2], type: QuantType.q8_0.rawValue, offset: 32)
    raw.tensor("z", [2, 2, 2, 1], type: QuantType.f16.rawValue, offset: 128)
    raw.finish()
    return raw
  }

  static let dataBytes = 144
}

/// Parses header bytes without a file.
func parse(
  _ bytes: [UInt8], fileByteCount: Int? = nil, limits: GGUFLimits = .standard
) throws(GGUFError) -> GGUFFile {
  try GGUFFile(
    headers: [GGUFHeader(path: "", fileByteCount: fileByteCount ?? bytes.count, bytes: bytes)], limits: limits)
}

/// The error that parsing gives; records an issue when there is none.
func refusal(
  _ bytes: [UInt8], fileByteCount: Int? = nil, limits: GGUFLimits = .standard,
  at location: SourceLocation = #_sourceLocation
) -> GGUFError? {
  do {
    _ = try parse(bytes, fileByteCount: fileByteCount, limits: limits)
    Issue.record("nothing was refused", sourceLocation: location)
    return nil
  } catch { return error }
}

/// The error that `body` throws; records an issue when there is none.
func failure<Value>(
  at location: SourceLocation = #_sourceLocation, _ body: () throws(GGUFError) -> Value
) -> GGUFError? {
  do throws(GGUFError) {
    _ = try body()
    Issue.record("nothing was thrown", sourceLocation: location)
    return nil
  } catch { return error }
}

/// A folder of its own for one test, removed afterwards.
final class TemporaryFolder {
  private let url = FileManager.default.temporaryDirectory.appendingPathComponent("gguf-" + UUID().uuidString)

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: url.appendingPathComponent(name))
    return path(name)
  }

  /// Cuts a file, or lengthens it by a hole.
  func cut(_ path: String, to byteCount: Int) throws { try #require(truncate(path, byteCount) == 0) }
}

/// Bytes that differ from place to place.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 167 &+ ($0 >> 8)) }
}

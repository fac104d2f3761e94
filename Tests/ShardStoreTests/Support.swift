import Foundation
import GGUF
import ModelSpec
import ShardStore
import Synchronization
import Tensors

/// Models of `Tests/Fixtures` and the embedded model.
enum Fixtures {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  static let small = root.appendingPathComponent("Fixtures/qwen3moe-s/qwen3moe-s-Q8_0.gguf").path
  static let half = root.appendingPathComponent("Fixtures/qwen3moe-s/qwen3moe-s-F16.gguf").path
  static let mixed = root.appendingPathComponent("Fixtures/qwen3moe-k/qwen3moe-k-Q4_K_M.gguf").path
  static let splitFolder = root.appendingPathComponent("Fixtures/qwen3moe-s/split").path
  static let split = splitFolder + "/qwen3moe-s-Q8_0-00001-of-00002.gguf"
  static let demo = root.deletingLastPathComponent()
    .appendingPathComponent("cluster/models/fairytales-moe-Q4_K_M.gguf").path
  static let all = [small, half, mixed, split, demo]
}

/// A folder that is removed with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "shoal-store-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  /// A copy of a file, optionally with one byte flipped.
  func copy(_ source: String, as name: String, flippingByte offset: Int? = nil) throws -> String {
    var bytes = try read(source)
    if let offset { bytes[offset] ^= 0x10 }
    try write(bytes, to: file(name))
    return file(name)
  }
}

func read(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
func write(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

/// A model with everything the tests ask of it.
struct Model {
  let spec: ModelSpec
  let reader: ModelPieceReader
  let manifest: PieceManifest

  init(_ path: String) throws {
    spec = try ModelSpec(file: GGUFFile.open(path))
    reader = try ModelPieceReader(spec: spec)
    manifest = try PieceManifest.build(spec: spec, reader: reader.reader)
  }

  func entry(_ piece: PieceID) throws -> PieceEntry { try required(manifest.entry(for: piece)) }
  func layout(_ piece: PieceID) throws -> PieceLayout { try required(spec.layout(of: piece)) }

  /// The packed bytes of a piece, put together from the whole files without the code under test.
  func packed(_ piece: PieceID) throws -> [UInt8] {
    guard piece != .header else { return ModelSpec.encodeHeaders(spec.file.headers) }
    let files = try spec.file.paths.map(read)
    return try layout(piece).parts.flatMap { part in
      files[part.range.file][part.range.offset..<part.range.offset + part.range.byteCount]
    }
  }

  /// What a loaded piece must look like in memory.
  func spread(_ piece: PieceID) throws -> [UInt8] {
    let layout = try layout(piece)
    let packed = try packed(piece)
    var memory = [UInt8](repeating: 0, count: layout.memoryBytes)
    for (part, offset) in zip(layout.parts, layout.memoryOffsets) {
      memory.replaceSubrange(offset..<offset + part.byteCount, with: packed[part.offset..<part.offset + part.byteCount])
    }
    return memory
  }
}

struct MissingValue: Error {}

func required<Value: ~Copyable>(_ value: consuming Value?) throws -> Value {
  guard let value else { throw MissingValue() }
  return value
}

/// A list that several threads add to.
final class Log: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
}

/// A source that gives what a closure makes, and counts how often it is asked.
final class ScriptedSource: PieceSource {
  let origin: PieceOrigin
  let name: String
  private let script: @Sendable (PieceEntry, UnsafeMutableRawBufferPointer) throws -> Bool
  private let count = Mutex(0)

  init(
    _ origin: PieceOrigin, _ name: String = "a script",
    _ script: @escaping @Sendable (PieceEntry, UnsafeMutableRawBufferPointer) throws -> Bool
  ) {
    self.origin = origin
    self.name = name
    self.script = script
  }

  var timesAsked: Int { count.withLock { $0 } }

  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    count.withLock { $0 += 1 }
    return try script(entry, buffer)
  }
}

extension ScriptedSource {
  /// The model's pieces as another process would send them, in ranges of at most 256 KiB.
  static func network(_ model: Model) -> ScriptedSource {
    ScriptedSource(.network, "the coordinator") { entry, buffer in
      var done = 0
      while done < buffer.count {
        let end = min(buffer.count, done + 256 << 10)
        try model.reader.read(
          entry.id, offset: done, into: UnsafeMutableRawBufferPointer(rebasing: buffer[done..<end]))
        done = end
      }
      return true
    }
  }
}

extension PieceLoader {
  /// The memory of a loaded piece; it held ones before.
  func memory(_ piece: PieceID, of model: Model) throws -> (bytes: [UInt8], origin: PieceOrigin) {
    let layout = try model.layout(piece)
    let entry = try model.entry(piece)
    var bytes = [UInt8](repeating: 0xFF, count: layout.memoryBytes)
    let origin = try bytes.withUnsafeMutableBytes { try load(layout: layout, entry: entry, into: $0) }
    return (bytes, origin)
  }
}

extension ShardStore {
  /// Inserts a piece of a model.
  @discardableResult func insert(_ piece: PieceID, of model: Model) throws -> Bool {
    try model.packed(piece).withUnsafeBytes { try insert(model.entry(piece), $0) }
  }

  /// The packed bytes of a piece; nil when it is not there.
  func bytes(_ entry: PieceEntry) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: entry.byteCount)
    return try bytes.withUnsafeMutableBytes { try read(entry, into: $0) } ? bytes : nil
  }
}

/// Runs something as a user who may not write to the folders of others. File permissions do not bind the superuser, so
/// the calling thread gives the privilege up meanwhile.
func asOrdinaryUser<Result>(_ body: () throws -> Result) rethrows -> Result {
  #if os(Linux)
    // The C library's header for it is not part of Swift's module.
    typealias SetUser = @convention(c) (uid_t) -> Int32
    if geteuid() == 0, let symbol = dlsym(nil, "setfsuid") {
      let setUser = unsafeBitCast(symbol, to: SetUser.self)
      _ = setUser(65534)
      defer { _ = setUser(0) }
      return try body()
    }
  #endif
  return try body()
}

/// Calls `body` with `0..<count` at once, each on a thread of its own: the system's pool may be taken by other tests.
func sideBySide(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let running = DispatchGroup()
  for index in 0..<count {
    running.enter()
    Thread {
      body(index)
      running.leave()
    }.start()
  }
  running.wait()
}

import Foundation
import GGUF
import Kernels
public import ModelSpec
public import ShardStore
import Tensors
public import Tokenization
import Wire

/// A model file, read and hashed; one written for a test is removed with the value.
public final class SimulatedModel: Sendable {
  /// The file.
  public let path: String
  /// What its headers say.
  public let spec: ModelSpec
  /// Reads its pieces.
  public let reader: ModelPieceReader
  /// Sizes and hashes of its pieces.
  public let manifest: PieceManifest
  /// Its tokenizer.
  public let tokenizer: Tokenizer
  private let isTemporary: Bool

  /// Opens a file.
  public convenience init(path: String) throws { try self.init(path: path, isTemporary: false) }

  /// Writes a random model into the system's temporary folder.
  public convenience init(_ recipe: ModelRecipe) throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("simulated-\(recipe.name)-\(UUID().uuidString).gguf").path
    try recipe.file().write(to: path)
    try self.init(path: path, isTemporary: true)
  }

  private init(path: String, isTemporary: Bool) throws {
    self.path = path
    self.isTemporary = isTemporary
    let file = try GGUFFile.open(path)
    spec = try ModelSpec(file: file)
    try spec.requireTypes(Kernels.supportedTypes)
    reader = try ModelPieceReader(spec: spec)
    manifest = try PieceManifest.build(spec: spec, reader: reader.reader) { _, _ in }
    tokenizer = try Tokenizer(metadata: file.metadata)
  }

  deinit {
    if isTemporary { try? FileManager.default.removeItem(atPath: path) }
  }

  /// What a coordinator says of some of the pieces.
  func descriptions(_ pieces: [PieceID]) -> [PieceDescription] {
    pieces.compactMap { manifest.entry(for: $0) }.map(Self.description)
  }

  var header: PieceDescription { Self.description(of: manifest.header) }

  private static func description(of entry: PieceEntry) -> PieceDescription {
    PieceDescription(piece: entry.id, byteCount: entry.byteCount, digest: entry.digest)
  }
}

import GGUF
import Kernels
import ModelSpec
import ShardStore
import Tokenization
import Wire

/// A model file that has been read, checked and hashed.
struct LoadedModel {
  let spec: ModelSpec
  let reader: ModelPieceReader
  let manifest: PieceManifest
  let tokenizer: Tokenizer

  /// Opens a model; hashing it the first time shows a progress bar.
  /// - Throws: errors that name the file, the key or the tensor.
  init(path: String, store: ShardStore?) throws {
    let file = try GGUFFile.open(path)
    spec = try ModelSpec(file: file)
    try spec.requireTypes(Kernels.supportedTypes)
    reader = try ModelPieceReader(spec: spec)
    tokenizer = try Tokenizer(metadata: file.metadata)
    let progress = { (done: Int, total: Int) in Console.progress("hashing the model", done: done, total: total) }
    if let store {
      manifest = try store.manifest(for: spec, reader: reader.reader, progress: progress)
    } else {
      manifest = try PieceManifest.build(spec: spec, reader: reader.reader, progress: progress)
    }
    Console.clearProgress()
  }

  /// What a node must know of some of the pieces.
  func descriptions(_ pieces: [PieceID]) -> [PieceDescription] {
    pieces.compactMap { manifest.entry(for: $0) }.map(PieceDescription.init)
  }

  var header: PieceDescription { PieceDescription(manifest.header) }
}

extension PieceDescription {
  fileprivate init(_ entry: PieceEntry) {
    self.init(piece: entry.id, byteCount: entry.byteCount, digest: entry.digest)
  }
}

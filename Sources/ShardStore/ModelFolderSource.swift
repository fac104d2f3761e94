import Synchronization
public import Tensors

/// The pieces of one model, from whichever GGUF file of a folder has the model's headers. The folder is searched when
/// the first piece is asked for.
public final class ModelFolderSource: PieceSource {
  private enum Search {
    case open
    case done(ModelFileSource?)
  }

  private let folder: ModelFolder
  private let headerDigest: Digest
  private let search = Mutex(Search.open)

  /// - Parameters:
  ///   - folder: where to search.
  ///   - headerDigest: SHA-256 of the model's headers.
  public init(_ folder: ModelFolder, headerDigest: Digest) {
    self.folder = folder
    self.headerDigest = headerDigest
  }

  /// - Parameters:
  ///   - directory: where to search.
  ///   - headerDigest: SHA-256 of the model's headers.
  ///   - warning: told once of each file that cannot be read, and why.
  public convenience init(
    directory: String, headerDigest: Digest, warning: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.init(ModelFolder(directory: directory, warning: warning), headerDigest: headerDigest)
  }

  public var origin: PieceOrigin { .modelFile }
  public var name: String { found?.name ?? "the folder \(folder.directory)" }

  /// As `read(_:into:arrived:)`.
  public func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try read(entry, into: buffer) { _ in }
  }

  /// - Returns: false when no file has the model's headers.
  /// - Throws: `ShardStoreError` when the file cannot be read or was cut off.
  public func read(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, arrived: (Int) -> Void
  ) throws -> Bool {
    try found?.read(entry, into: buffer, arrived: arrived) ?? false
  }

  private var found: ModelFileSource? {
    search.withLock { search in
      if case .done(let source) = search { return source }
      let source = folder.model(headerDigest: headerDigest)
      search = .done(source)
      return source
    }
  }
}

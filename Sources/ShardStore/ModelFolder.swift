import GGUF
import ModelSpec
import Synchronization
public import Tensors

/// A folder with GGUF files, or one such file, in which models are found by the digest of their headers. Threads may share it.
///
/// Looks at `*.gguf` in the folder and its subfolders (four levels, 4096 files); of a split model, at its first file.
/// Only headers are read. A file that cannot be read is warned of once and tried again at the next search, since a
/// download may have been completed meanwhile.
public final class ModelFolder: Sendable {
  private struct State {
    /// Digests of the models' headers, by the path of the (first) file.
    var known: [String: (identity: FileIdentity, headerDigest: Digest)] = [:]
    var warned: Set<String> = []
  }

  private static let depthLimit = 4
  private static let fileLimit = 4096

  /// The folder, or the file.
  public let directory: String
  private let warning: @Sendable (String) -> Void
  private let state = Mutex(State())

  /// - Parameters:
  ///   - directory: the folder, or the (first) file of a model; need not exist yet.
  ///   - warning: told once of each file that cannot be read, and why.
  public init(directory: String, warning: @escaping @Sendable (String) -> Void = { _ in }) {
    self.directory = directory
    self.warning = warning
  }

  /// The model whose headers have that digest; nil when there is none that can be read.
  public func model(headerDigest: Digest) -> ModelFileSource? {
    for path in paths() {
      guard digest(path) == headerDigest else { continue }
      do {
        let source = ModelFileSource(try ModelPieceReader(spec: ModelSpec(file: GGUFFile.open(path))))
        if source.headerDigest == headerDigest { return source }
      } catch {
        warn(path, error)
      }
    }
    return nil
  }

  private func digest(_ path: String) -> Digest? {
    do {
      let identity = try FileIdentity(path: path)
      if let known = state.withLock({ $0.known[path] }), known.identity == identity { return known.headerDigest }
      let headers = try GGUFFile.open(path).headers
      let digest = PieceHasher.digest(of: ModelSpec.encodeHeaders(headers))
      state.withLock { $0.known[path] = (identity, digest) }
      return digest
    } catch {
      warn(path, error)
      return nil
    }
  }

  private func warn(_ path: String, _ error: any Error) {
    guard state.withLock({ $0.warned.insert(path).inserted }) else { return }
    let reason = String(describing: error)
    warning("not used as a source of weights: \(reason.hasPrefix(path) ? reason : "\(path): \(reason)")")
  }

  /// The files to look at, in the order of their names.
  private func paths() -> [String] {
    if directory.hasSuffix(".gguf"), !Files.isFolder(directory) { return [directory] }
    var found: [String] = []
    var folders = [(path: directory, depth: 1)]
    while let folder = folders.popLast(), found.count < Self.fileLimit {
      for name in Files.names(in: folder.path) where !name.hasPrefix(".") {
        let path = folder.path + "/" + name
        if Files.isFolder(path) {
          if folder.depth < Self.depthLimit { folders.append((path, folder.depth + 1)) }
        } else if name.hasSuffix(".gguf"), !Self.isLaterPart(name) {
          found.append(path)
        }
      }
    }
    return found.sorted().prefix(Self.fileLimit).map { $0 }
  }

  /// Whether a name ends like that of a split model's file other than the first: `-00002-of-00003.gguf`.
  private static func isLaterPart(_ name: String) -> Bool {
    let suffix = name.utf8.dropLast(".gguf".utf8.count).suffix("-00001-of-00003".utf8.count)
    let parts = suffix.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false).map { String($0) ?? "" }
    guard parts.count == 4, parts[0] == "", parts[2] == "of", parts[1].utf8.count == 5, let number = Int(parts[1]),
      Int(parts[3]) != nil
    else { return false }
    return number > 1
  }
}

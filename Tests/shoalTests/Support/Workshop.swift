import Foundation

/// Where the tests of this room work: the program under test, the repository, and a folder that goes away at the end.
enum Workshop {
  /// The built program, beside the test bundle.
  static let program: URL = {
    let bundle = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return bundle.deletingLastPathComponent().appending(path: "shoal")
  }()

  static let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static let model = repository.appending(path: "cluster/models/fairytales-moe-Q4_K_M.gguf")
  static let golden = repository.appending(path: "cluster/models/fairytales-moe-golden.json")
  static let topology = repository.appending(path: "topology.json")

  /// A folder of this run.
  static let directory: URL = {
    let folder = FileManager.default.temporaryDirectory.appending(path: "shoal-tests-\(getpid())")
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(at: Workshop.directory) }
    return folder
  }()

  /// The cache folder of every process that is given no other.
  static let cache = directory.appending(path: "cache")

  /// An empty folder with that name.
  static func folder(_ name: String) throws -> URL {
    let folder = directory.appending(path: name)
    try? FileManager.default.removeItem(at: folder)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  /// A file with those bytes.
  static func file(_ name: String, _ bytes: Data) throws -> URL {
    let file = directory.appending(path: name)
    try bytes.write(to: file)
    return file
  }
}

import Foundation

/// The files of the working copy that these tests were compiled from.
struct Repository {
  static let current = Repository(root: URL(filePath: #filePath).deletingLastPathComponent(levels: 4))

  let root: URL
  /// Every file of the project, relative to the root: what git tracks or would add, or without git all but the
  /// hidden build folders.
  let paths: [String]

  private init(root: URL) {
    self.root = root
    let listed = Self.listByGit(root) ?? Self.listByWalking(root)
    paths = listed.filter { FileManager.default.fileExists(atPath: root.appending(path: $0).path) }.sorted()
  }

  /// Paths below a folder (written with its closing slash) with one of the extensions.
  func files(under folder: String, _ extensions: String...) -> [String] {
    paths.filter { path in path.hasPrefix(folder) && extensions.contains { path.hasSuffix("." + $0) } }
  }

  func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appending(path: path).standardized.path)
  }

  /// The text of a file; nothing if it is not UTF-8 or holds a zero byte.
  func text(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: root.appending(path: path).path), !data.contains(0) else {
      return nil
    }
    return String(data: data, encoding: .utf8)
  }

  /// The tokens of a source file.
  func tokens(_ path: String) -> [Token] {
    Lexer.tokens(text(path) ?? "", language: path.hasSuffix(".swift") ? .swift : .c)
  }

  private static func listByGit(_ root: URL) -> [String]? {
    let arguments = ["git", "-C", root.path, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    guard FileManager.default.fileExists(atPath: root.appending(path: ".git").path),
      let output = Command.output("/usr/bin/env", arguments)
    else { return nil }
    let names = output.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return names.isEmpty ? nil : names
  }

  private static func listByWalking(_ root: URL) -> [String] {
    guard let walker = FileManager.default.enumerator(atPath: root.path) else { return [] }
    var paths: [String] = []
    while let path = walker.nextObject() as? String {
      if path.hasPrefix(".build") || path.hasPrefix(".git/") || path.hasPrefix(".swiftpm") { continue }
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: root.appending(path: path).path, isDirectory: &isFolder)
      if !isFolder.boolValue { paths.append(path) }
    }
    return paths
  }
}

extension URL {
  fileprivate func deletingLastPathComponent(levels: Int) -> URL {
    (0..<levels).reduce(self) { url, _ in url.deletingLastPathComponent() }
  }
}

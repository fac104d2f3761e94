import Foundation

/// What holds for every text of the project, code or not.
enum TextRule {
  /// Folders of one machine. (Written in two parts, so that this file does not break the rule itself.)
  private static let machineFolders = ["/" + "work/", "/" + "home/", "/" + "Users/", "/" + "root/", "/" + "mnt/"]
  /// Hosts that texts may name in an address.
  static let hosts: Set<String> = [
    "github.com", "swift.org", "www.swift.org", "www.gutenberg.org", "json-schema.org", "creativecommons.org",
    "example.com", "localhost", "127.0.0.1", "semver.org", "www.rfc-editor.org",
  ]

  static func machinePaths(_ text: String, path: String) -> [Violation] {
    // The home that examples use is nobody's.
    lines(text.replacing("/" + "home/me", with: "")).flatMap { number, line in
      machineFolders.filter { folder in
        line.ranges(of: folder).contains { range in
          // A folder of the project may have such a name further down.
          range.lowerBound == line.startIndex || !isPathCharacter(line[line.index(before: range.lowerBound)])
        }
      }.map { Violation(path: path, line: number, message: "names a folder of one machine, \($0)") }
    }
  }

  private static func isPathCharacter(_ character: Character) -> Bool {
    character.isLetter || character.isNumber || "._-~)}".contains(character)
  }

  static func foreignHosts(_ text: String, path: String) -> [Violation] {
    lines(text).flatMap { number, line in
      line.ranges(of: "://").compactMap { range in
        let host = line[range.upperBound...].prefix { $0.isLetter || $0.isNumber || ".-".contains($0) }
        guard host.contains("."), !hosts.contains(String(host)), !isNumeric(host) else { return nil }
        return Violation(path: path, line: number, message: "names the host \(host)")
      }
    }
  }

  private static func isNumeric(_ host: Substring) -> Bool { host.allSatisfy { $0.isNumber || $0 == "." } }

  /// Links of a page, `[text](target)`, that point to nothing. Code blocks are left out.
  static func brokenLinks(_ text: String, path: String, exists: (String) -> Bool) -> [Violation] {
    let folder = path.split(separator: "/").dropLast().map(String.init)
    var isCode = false
    return lines(text).flatMap { number, line -> [Violation] in
      if line.hasPrefix("```") { isCode.toggle() }
      if isCode { return [] }
      return line.ranges(of: "](").compactMap { range in
        let target = line[range.upperBound...].prefix { $0 != ")" && $0 != "#" && $0 != " " }
        if target.isEmpty || target.contains("://") || target.hasPrefix("mailto:") { return nil }
        let full = resolve(String(target), in: folder)
        return full.map(exists) == true
          ? nil : Violation(path: path, line: number, message: "links to \(target), which does not exist")
      }
    }
  }

  private static func resolve(_ target: String, in folder: [String]) -> String? {
    var parts = folder
    for part in target.split(separator: "/") where part != "." {
      if part == ".." {
        if parts.popLast() == nil { return nil }
      } else {
        parts.append(String(part))
      }
    }
    return parts.joined(separator: "/")
  }

  /// Pages of ours that a text names as `docs/...` and that do not exist.
  static func missingPages(_ text: String, path: String, exists: (String) -> Bool) -> [Violation] {
    lines(text).flatMap { number, line in
      line.ranges(of: "docs/").compactMap { range in
        // Part of a longer path, or of somebody else's project.
        let before = line[..<range.lowerBound]
        if before.hasSuffix("/") || before.hasSuffix(".") || before.hasSuffix("'s ") { return nil }
        var page = line[range.lowerBound...].prefix { $0.isLetter || $0.isNumber || "/._-".contains($0) }
        while page.last == "." { page.removeLast() }
        guard page.hasSuffix(".md") || page.hasSuffix(".json"), !exists(String(page)) else { return nil }
        return Violation(path: path, line: number, message: "names \(page), which does not exist")
      }
    }
  }

  /// Names at the top of the project that design and habit do not know.
  static func strangersAtTop(_ paths: [String]) -> [Violation] {
    let known: Set<String> = [
      "Package.swift", "Sources", "Tests", "topology.json", "cluster", "deploy", "docs", "README.md", "LICENSE",
    ]
    let names = Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) })
    return names.subtracting(known).filter { !$0.hasPrefix(".") }.sorted().map {
      Violation(path: $0, line: 0, message: "does not belong at the top")
    }
  }

  private static func lines(_ text: String) -> [(number: Int, line: Substring)] {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { ($0.offset + 1, $0.element) }
  }
}

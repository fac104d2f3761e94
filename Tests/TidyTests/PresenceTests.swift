import Testing

@Suite("Tests and documentation of every file")
struct PresenceTests {
  private let repository = Repository.current

  private func name(_ path: String) -> String {
    let file = path.split(separator: "/").last ?? ""
    return String(file.prefix { $0 != "." })
  }

  @Test("every file that declares a type has a test named after it, or is listed with the one that covers it")
  func presence() {
    var sources: [String: Set<String>] = [:]
    for path in repository.files(under: "Sources/", "swift")
    where TestPresenceRule.declaresType(repository.tokens(path)) {
      sources[String(path.split(separator: "/")[1]), default: []].insert(name(path))
    }
    #expect(!sources.isEmpty)
    let rooms = Set(sources.keys).union(TestedElsewhere.rooms.keys)
    let differences = rooms.sorted().flatMap { room in
      TestPresenceRule.differences(
        room: room, sources: sources[room] ?? [],
        tests: Set(repository.files(under: "Tests/\(room)Tests/", "swift").map(name)),
        allTests: Set(repository.files(under: "Tests/", "swift").map(name)), listed: TestedElsewhere.listed(room))
    }
    expectNone(differences)
  }

  @Test("a missing test, a wrong entry and a stale entry are found")
  func badPresence() {
    let differences = TestPresenceRule.differences(
      room: "R", sources: ["A", "B", "C", "D"], tests: ["ATests", "CTests"], allTests: ["ATests", "CTests", "XTests"],
      listed: ["B": "XTests", "C": "ATests", "D": "NoTests", "E": "ATests"])
    #expect(differences.count == 3)
    #expect(
      TestPresenceRule.differences(room: "R", sources: ["A"], tests: [], allTests: ["ATests"], listed: [:]).count == 1)
    #expect(
      TestPresenceRule.differences(room: "R", sources: ["A"], tests: ["ATests"], allTests: [], listed: [:]).isEmpty)
  }

  @Test("types are found at the top of a file only")
  func types() {
    func declares(_ source: String) -> Bool { TestPresenceRule.declaresType(Lexer.tokens(source)) }
    #expect(declares("public final class A {}"))
    #expect(declares("import B\nprivate enum C {}"))
    #expect(!declares("import struct A.B\nextension C { struct D {} }"))
    #expect(!declares("// struct A\nfunc f() {}"))
  }

  @Test("public declarations have comments; those of a room that lack one become fewer")
  func documentation() {
    var found: [String: Int] = [:]
    var violations: [Violation] = []
    for path in repository.files(under: "Sources/", "swift") {
      let missing = DocumentationRule.violations(repository.tokens(path), path: path)
      found[String(path.split(separator: "/")[1]), default: 0] += missing.count
      violations += missing
    }
    let differences = Ratchet.differences(allowed: Limits.undocumented, found: found, limit: 0)
    let rooms = differences.map { $0.prefix { $0 != ":" } }
    expectNone(differences + violations.filter { rooms.contains($0.path.split(separator: "/")[1]) }.map(\.description))
  }

  @Test("public declarations without a comment are found, witnesses of the standard library are let off")
  func badDocumentation() {
    let source = """
      public import Tensors
      /// Said.
      @inlinable
      @available(macOS 15, *)
      public static func a() {}
      public func b() {}
      // not said
      public private(set) var c = 1
      public struct D: CustomStringConvertible {
        public var description: String { "" }
        public static func == (a: D, b: D) -> Bool { true }
        public init(rawValue: Int) {}
        public init(e: Int) {}
        public init(g: Int, h: Int = 3) { self.g = g }
        /// Said.
        public final class F {}
        public let g: Int
      }
      public extension D {}
      """
    let violations = DocumentationRule.violations(Lexer.tokens(source), path: "f")
    #expect(violations.map(\.line) == [6, 8, 9, 13, 17])
  }
}

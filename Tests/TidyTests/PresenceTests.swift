import Testing

@Suite("Tests and documentation of every file")
struct PresenceTests {
  private let repository = Repository.current

  private func name(_ path: String) -> String {
    let file = path.split(separator: "/").last ?? ""
    return String(file.prefix { $0 != "." })
  }

  @Test(
    "every file that declares a type with functions has a test named after it, or is listed with the one that covers it"
  )
  func presence() {
    var sources: [String: Set<String>] = [:]
    let files = repository.files(under: "Sources/", "swift").filter { !$0.contains("+") }
    for path in files where TestPresenceRule.declaresBehaviour(repository.tokens(path)) {
      sources[String(path.split(separator: "/")[1]), default: []].insert(name(path))
    }
    #expect(!sources.isEmpty)
    let rooms = Set(sources.keys).union(TestedElsewhere.rooms.keys)
    let differences = rooms.sorted().flatMap { room in
      TestPresenceRule.differences(
        room: room, sources: sources[room] ?? [],
        tests: Set(repository.files(under: "Tests/\(room)Tests/", "swift").map(name)),
        allTests: Set(repository.files(under: "Tests/", "swift").map(name)), listed: TestedElsewhere.listed(room),
        untested: TestedElsewhere.untested[room] ?? [])
    }
    expectNone(differences)
  }

  @Test("a missing test, a wrong entry and a stale entry are found")
  func badPresence() {
    let differences = TestPresenceRule.differences(
      room: "R", sources: ["A", "B", "C", "D", "F"], tests: ["ATests", "CTests"],
      allTests: ["ATests", "CTests", "XTests"],
      listed: ["B": "XTests", "C": "ATests", "D": "NoTests", "E": "ATests"], untested: ["A", "F", "G"])
    #expect(differences.count == 5)
    #expect(
      TestPresenceRule.differences(
        room: "R", sources: ["A"], tests: [], allTests: ["ATests"], listed: [:], untested: []
      ).count == 1)
    #expect(
      TestPresenceRule.differences(
        room: "R", sources: ["A"], tests: ["ATests"], allTests: [], listed: [:], untested: []
      ).isEmpty)
  }

  @Test("types with behaviour are found at the top of a file only")
  func types() {
    func declares(_ source: String) -> Bool { TestPresenceRule.declaresBehaviour(Lexer.tokens(source)) }
    #expect(declares("public final class A { func f() {} }"))
    #expect(declares("import B\nprivate enum C {}\nextension C { subscript(a: Int) -> Int { a } }"))
    #expect(!declares("public struct A { let b: Int; var c: Int { b } }"))
    #expect(!declares("public protocol A { func f() }"))
    #expect(!declares("import struct A.B\nextension C { struct D { func f() {} } }"))
    #expect(!declares("// struct A\nfunc f() {}"))
  }

  @Test("public declarations have comments; those of a room that lack one become fewer")
  func documentation() {
    var found: [String: Int] = [:]
    var violations: [Violation] = []
    let paths = repository.files(under: "Sources/", "swift")
    let requirements = paths.reduce(into: Set<String>()) { names, path in
      names.formUnion(DocumentationRule.requirements(repository.tokens(path)))
    }
    for path in paths {
      let missing = DocumentationRule.violations(
        repository.tokens(path), path: path, requirements: requirements)
      found[String(path.split(separator: "/")[1]), default: 0] += missing.count
      violations += missing
    }
    let differences = Ratchet.differences(allowed: Limits.undocumented, found: found, limit: 0)
    let rooms = differences.map { $0.prefix { $0 != ":" } }
    expectNone(differences + violations.filter { rooms.contains($0.path.split(separator: "/")[1]) }.map(\.description))
  }

  @Test("public declarations without a comment are found, what is said elsewhere is let off")
  func badDocumentation() {
    let source = """
      public import Tensors
      /// Said.
      @inlinable
      @available(macOS 15, *)
      public static func a() {}
      public func b() {}
      // not said
      public private(set) var c: Int {
        1
      }
      public struct D: CustomStringConvertible {
        public var description: String { "" }
        public static func == (a: D, b: D) -> Bool { true }
        public init(rawValue: Int) {
        }
        public init(e: Int) {
        }
        public init(g: Int, h: Int = 3) {
          self.g = g
        }
        /// Said.
        public final class F {}
        public let g: Int
        public func required() {}
        public init() { g = 1 }
      }
      public extension D {}
      protocol P { func required() }
      """
    let tokens = Lexer.tokens(source)
    let requirements = DocumentationRule.requirements(tokens)
    #expect(requirements == ["required"])
    let violations = DocumentationRule.violations(tokens, path: "f", requirements: requirements)
    #expect(violations.map(\.line) == [6, 8, 11, 16])
    #expect(DocumentationRule.violations(tokens, path: "f").map(\.line) == [6, 8, 11, 16, 24])
  }
}

import Testing

@Suite("Safety")
struct SafetyTests {
  private let repository = Repository.current

  private var swiftSources: [(room: String, path: String, tokens: [Token])] {
    repository.files(under: "Sources/", "swift").map { path in
      (String(path.split(separator: "/")[1]), path, repository.tokens(path))
    }
  }

  @Test("unchecked promises are made in three rooms, each with its reason, and become fewer")
  func uncheckedUses() {
    var found: [String: Int] = [:]
    var violations: [Violation] = []
    for (room, path, tokens) in swiftSources {
      found[room, default: 0] += UnsafeRule.uses(tokens).count
      violations += UnsafeRule.violations(room: room, path: path, tokens: tokens)
    }
    expectNone(violations)
    let differences = Ratchet.differences(allowed: Limits.uncheckedUses, found: found, limit: 0)
    expectNone(differences)
  }

  @Test("an unchecked promise without a reason, or in another room, is found")
  func badUses() {
    let source = """
      // SAFETY: only one thread
      final class A: @unchecked Sendable {}



      nonisolated(unsafe) var b = 1
      nonisolated func c() {}
      // @unchecked Sendable
      """
    let tokens = Lexer.tokens(source)
    #expect(UnsafeRule.uses(tokens).map(\.line) == [2, 6])
    #expect(UnsafeRule.violations(room: "Tensors", path: "f", tokens: tokens).map(\.line) == [6])
    #expect(UnsafeRule.violations(room: "Wire", path: "f", tokens: tokens).map(\.line) == [2, 6])
  }

  @Test("no room stops the process, unwraps by force, prints or leaves notes")
  func forbidden() {
    let violations = swiftSources.flatMap { _, path, tokens in
      ForbiddenRule.violations(swift: tokens, path: path, mayPrint: Limits.printingFiles.contains(path))
    }
    expectNone(violations)
    #expect(Limits.printingFiles.allSatisfy(repository.exists), "remove the entry of a file that is gone")
  }

  @Test("what is forbidden is found, what looks like it is not")
  func badSwift() {
    let source = """
      let a = b! + c()! + d[0]! + (try! e()) + (f as! Int)
      var g: Int!
      if !a, a != b, a!=b, (!c) { x.print(1) }
      print("a!"); fatal\("")Error()
      // to do: nothing
      """.replacing("\\(\"\")", with: "")
    let violations = ForbiddenRule.violations(swift: Lexer.tokens(source), path: "f", mayPrint: false)
    #expect(violations.map(\.line) == [1, 1, 1, 1, 1, 2, 4, 4])
    #expect(ForbiddenRule.violations(swift: Lexer.tokens("_ = 0; print(1)"), path: "f", mayPrint: true).isEmpty)
    let note = "// " + "TO" + "DO: later"
    #expect(ForbiddenRule.violations(swift: Lexer.tokens(note), path: "f", mayPrint: true).count == 1)
  }

  @Test("C kernels neither allocate, print nor stop the process")
  func cKernels() {
    let paths = repository.files(under: "Sources/", "c", "h")
    #expect(!paths.isEmpty)
    let violations = paths.flatMap { ForbiddenRule.violations(c: repository.tokens($0), path: $0) }
    expectNone(violations)
    let bad = Lexer.tokens("void f(void) { free(malloc(3)); }\nint printf; // abort()", language: .c)
    #expect(ForbiddenRule.violations(c: bad, path: "f").map(\.line) == [1, 1])
  }

  @Test("tests do not sleep and leave no notes")
  func tests() {
    let paths = repository.files(under: "Tests/", "swift")
    var sleeps: [String: Int] = [:]
    for path in paths { sleeps[path] = ForbiddenRule.sleeps(repository.tokens(path), path: path).count }
    expectNone(Ratchet.differences(allowed: Limits.sleepingTests, found: sleeps, limit: 0))
    expectNone(
      paths.flatMap { path in
        ForbiddenRule.violations(swift: repository.tokens(path).filter(\.isComment), path: path, mayPrint: true)
      })
    let bad = Lexer.tokens("await Task.sleep(for: a)\nusleep(3)\nlet sleep = 1")
    #expect(ForbiddenRule.sleeps(bad, path: "f").map(\.line) == [1, 2])
  }
}

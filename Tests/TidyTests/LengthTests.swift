import Testing

@Suite("Lengths")
struct LengthTests {
  private let repository = Repository.current
  private var paths: [String] {
    repository.files(under: "Sources/", "swift", "c", "h") + repository.files(under: "Tests/", "swift")
  }

  @Test("no file is longer than 500 lines")
  func files() {
    var found: [String: Int] = [:]
    for path in paths {
      found[path] = repository.text(path)?.split(separator: "\n", omittingEmptySubsequences: false).count
    }
    #expect(found.count == paths.count)
    let differences = Ratchet.differences(allowed: Limits.longFiles, found: found, limit: Limits.fileLines)
    expectNone(differences)
  }

  @Test("no function is longer than 70 lines, in Swift and in C")
  func functions() {
    var found: [String: Int] = [:]
    for path in paths {
      let tokens = repository.tokens(path)
      let functions = path.hasSuffix(".swift") ? FunctionLength.swift(tokens) : FunctionLength.c(tokens)
      for function in functions {
        let key = "\(path) \(function.name)"
        found[key] = max(found[key] ?? 0, function.lines)
      }
    }
    #expect(found.count > paths.count)
    let differences = Ratchet.differences(allowed: Limits.longFunctions, found: found, limit: Limits.functionLines)
    expectNone(differences)
  }

  @Test("Swift functions are measured from their signature to their closing brace")
  func swiftFunctions() {
    let source = """
      protocol P { func required(a: Int); init(); var x: Int { get } }
      struct S {
        init(
          a: Int = { 3 }()
        ) {
          self.init()
        }
        func f<T>(_ t: T) throws(E) -> [T] where T: P {
          func inner() {
            // }
          }
        }
        var stored: Int = 3
        var computed: Int {
          1
        }
        static func < (a: S, b: S) -> Bool { true }
      }
      """
    #expect(
      FunctionLength.swift(Lexer.tokens(source)) == [
        .init(name: "x", line: 1, lines: 1), .init(name: "init", line: 3, lines: 5),
        .init(name: "f", line: 8, lines: 5), .init(name: "inner", line: 9, lines: 3),
        .init(name: "computed", line: 14, lines: 3), .init(name: "<", line: 17, lines: 1),
      ])
  }

  @Test("C functions and macros are measured too")
  func cFunctions() {
    let source = """
      #define TWICE(f) \\
        f(); f();
      struct s { int a; };
      static const int table[] = { 1, 2 };
      int declared(void);
      INLINE __attribute__((target("avx2"))) void one(int a,
                               int (*b)(int)) {
        if (a) { b(a); }
      }
      extern "C" {
      int two(void) { return 2; }
      }
      """
    #expect(
      FunctionLength.c(Lexer.tokens(source, language: .c)) == [
        .init(name: "TWICE", line: 1, lines: 2), .init(name: "one", line: 6, lines: 4),
        .init(name: "two", line: 11, lines: 1),
      ])
  }

  @Test("a ratchet fails for what grew, what is new, what fell and what is gone")
  func ratchet() {
    let found = ["grew": 81, "fell": 79, "same": 80, "new": 71, "short": 5]
    let allowed = ["grew": 80, "fell": 80, "same": 80, "gone": 80]
    #expect(
      Ratchet.differences(allowed: allowed, found: found, limit: 70) == [
        "fell: fell to 79, lower its entry from 80", "gone: 0 is within the limit of 70 now, remove its entry",
        "grew: 81, recorded as 80", "new: 71, at most 70",
      ])
  }
}

import Testing

@Suite("Lexer")
struct LexerTests {
  private func texts(_ source: String, _ kind: Token.Kind, _ language: Lexer.Language = .swift) -> [String] {
    Lexer.tokens(source, language: language).filter { $0.kind == kind }.map(\.text)
  }

  @Test("comments are no code, code in strings is no code, code in interpolations is")
  func swiftKinds() {
    let source = #"""
      let a = "x { \(b + "y \(c)") }" // d {
      /* e /* f */ g */ h
      """#
    #expect(texts(source, .word) == ["let", "a", "b", "c", "h"])
    #expect(texts(source, .comment) == ["// d {", "/* e /* f */ g */"])
    #expect(texts(source, .mark) == ["=", "+"])
  }

  @Test("raw and long strings end where they should")
  func strings() {
    let raw = ##"let a = #"quote " and \(no) "# + b"##
    #expect(texts(raw, .word) == ["let", "a", "b"])
    let long = "let a = \"\"\"\n  one \" two\n  \"\"\"\nlet b"
    #expect(texts(long, .word) == ["let", "a", "let", "b"])
    #expect(Lexer.tokens(long).last?.line == 4)
    #expect(texts(#"f("\\") + g("\"")"#, .word) == ["f", "g"])
  }

  @Test("documentation is told from comments")
  func documentation() {
    #expect(texts("/// a\n// b\n//// c\n/** d */\n/**/", .documentation) == ["/// a", "/** d */"])
  }

  @Test("C has characters and preprocessor lines with continuations")
  func cKinds() {
    let source = "#define A(x) \\\n  { x }\nchar b = '\\'', c = '{';\n  # pragma once\nint d; /* /* e */ int f;"
    #expect(texts(source, .directive, .c) == ["#define A(x) \\\n  { x }", "# pragma once"])
    #expect(texts(source, .word, .c) == ["char", "b", "c", "int", "d", "int", "f"])
    #expect(Lexer.tokens(source, language: .c).last?.line == 5)
  }

  @Test("every source file of the project has balanced brackets, so nothing was misread")
  func wholeProject() {
    let repository = Repository.current
    let paths = repository.files(under: "Sources/", "swift", "c") + repository.files(under: "Tests/", "swift")
    #expect(!paths.isEmpty)
    for path in paths {
      let marks = repository.tokens(path).filter { $0.kind == .mark }
      for (open, close) in [("(", ")"), ("[", "]"), ("{", "}")] {
        // Both branches of a condition count, and may open the same brace.
        if path.hasSuffix(".c") && open == "{" { continue }
        #expect(
          marks.count { $0.text == open } == marks.count { $0.text == close }, "\(path) as to \(open) and \(close)")
      }
    }
  }
}

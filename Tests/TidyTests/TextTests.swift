import Testing

@Suite("Texts of the project")
struct TextTests {
  private let repository = Repository.current

  /// Path and text of every text file, fixtures left out where `own` is asked for.
  private func texts(own: Bool) -> [(path: String, text: String)] {
    repository.paths.compactMap { path in
      if own && path.hasPrefix("Tests/Fixtures/") { return nil }
      return repository.text(path).map { (path, $0) }
    }
  }

  @Test("links and named pages exist")
  func links() {
    let pages = texts(own: true).filter { $0.path.hasSuffix(".md") }
    #expect(!pages.isEmpty)
    let broken = pages.flatMap { TextRule.brokenLinks($0.text, path: $0.path, exists: repository.exists) }
    expectNone(broken)
    let texts = texts(own: true).filter { !$0.path.hasPrefix("Tests/TidyTests/") }
    let missing = texts.flatMap { TextRule.missingPages($0.text, path: $0.path, exists: repository.exists) }
    expectNone(missing)
  }

  @Test("a link or a page that is not there is found")
  func badLinks() {
    let text = """
      [a](../LICENSE) [b](no.md#part) [c](https://swift.org/no.md) [d](#here)
      ```
      [e](nothing)
      ```
      docs/there.md, docs/gone.md. and /docs/else.md, the neighbour's docs/theirs.md
      """
    let exists = { (path: String) in path == "LICENSE" || path == "docs/there.md" }
    #expect(TextRule.brokenLinks(text, path: "docs/x.md", exists: exists).map(\.message).count == 1)
    #expect(TextRule.brokenLinks("[a](../../x)", path: "docs/x.md", exists: { _ in true }).count == 1)
    let missing = TextRule.missingPages(text, path: "x", exists: exists)
    #expect(missing.map(\.message) == ["names docs/gone.md, which does not exist"])
  }

  @Test("no text names folders of one machine, or hosts that the project does not know")
  func machines() {
    let paths = texts(own: false).flatMap { TextRule.machinePaths($0.text, path: $0.path) }
    expectNone(paths)
    let hosts = texts(own: true).flatMap { TextRule.foreignHosts($0.text, path: $0.path) }
    expectNone(hosts)
  }

  @Test("machine folders and foreign hosts are found")
  func badMachines() {
    let work = "/" + "work/main"
    #expect(TextRule.machinePaths("cp \(work) .", path: "f").count == 1)
    #expect(TextRule.machinePaths("\(work)\nx", path: "f").map(\.line) == [1])
    #expect(TextRule.machinePaths("see lab\(work)", path: "f").isEmpty)
    let address = "https:" + "//registry.invalid/simple"
    #expect(TextRule.foreignHosts("a\nb \(address)", path: "f").map(\.line) == [2])
    #expect(TextRule.foreignHosts("https://github.com/apple http://192.168.1.4:70 tcp://here", path: "f").isEmpty)
  }

  @Test("the top of the project holds what the design names")
  func top() {
    let strangers = TextRule.strangersAtTop(repository.paths)
    expectNone(strangers)
    #expect(
      TextRule.strangersAtTop(["docs/a", ".ci/run", "notes.txt", "scripts/a"]).map(\.path) == ["notes.txt", "scripts"])
  }
}

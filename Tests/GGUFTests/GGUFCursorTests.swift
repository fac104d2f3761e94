import Testing

@testable import GGUF

@Suite struct GGUFCursorTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("of a file no more is read than about twice what is asked for")
  func window() throws {
    let content = pattern(4 << 20)
    let path = try folder.write(content, to: "long")
    var cursor = GGUFCursor(try OpenFile(path), limit: .max)
    #expect(cursor.bytes.isEmpty)
    for index in 0..<(300 << 10) / 8 {
      let expected = content[index * 8..<index * 8 + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard try cursor.uint64("a number") == expected else {
        Issue.record("number \(index) differs from the file")
        return
      }
    }
    #expect(cursor.position == 300 << 10)
    #expect(cursor.bytes.count <= 2 * cursor.position)
    #expect(cursor.bytes.elementsEqual(content[..<cursor.bytes.count]))
  }

  @Test("a limit is held even when the window could read on")
  func limit() throws {
    var cursor = GGUFCursor(try OpenFile(folder.write(pattern(100), to: "short")), limit: 12)
    _ = try cursor.uint64("a number")
    #expect(cursor.bytes == Array(pattern(100)[..<12]))
    let error = failure { () throws(GGUFError) in try cursor.uint64("the next number") }
    #expect(error?.code == .limitExceeded && error?.offset == 8)
    _ = try cursor.uint32("a shorter number")
    #expect(cursor.position == 12)
    #expect(failure { () throws(GGUFError) in try cursor.byte("one more") }?.code == .limitExceeded)
  }

  @Test("a file that shrinks while its header is read is an error")
  func shrinking() throws {
    let path = try folder.write(pattern(1 << 20), to: "shrinking")
    var cursor = GGUFCursor(try OpenFile(path), limit: .max)
    _ = try cursor.uint64("a number")
    try folder.cut(path, to: 300 << 10)
    let error = failure { () throws(GGUFError) in try cursor.need(1 << 19, "the rest") }
    #expect(error?.code == .io && error?.message.contains("shorter than it was") == true)
  }
}

import Testing

@testable import Cluster

@Suite struct JSONParserTests {
  private func parse(_ text: String) throws -> JSONSyntax { try JSONParser.parse(Array(text.utf8), file: "t.json") }

  private func refusal(_ bytes: [UInt8]) -> TopologyError? {
    do throws(TopologyError) {
      _ = try JSONParser.parse(bytes, file: "t.json")
      return nil
    } catch {
      return error
    }
  }

  private func refusal(_ text: String) -> TopologyError? { refusal(Array(text.utf8)) }

  @Test("values and names know their lines and columns")
  func positions() throws {
    let root = try parse("{\r\n  \"né\": [1,\n\t true ],\n \"b\" : { } }\n")
    guard case .object(let members) = root.value, case .array(let elements) = members[0].value.value else {
      Issue.record("expected an object with a list")
      return
    }
    #expect(root.position == SourcePosition(line: 1, column: 1))
    #expect(members[0].position == SourcePosition(line: 2, column: 3))
    #expect(members[0].value.position == SourcePosition(line: 2, column: 9))
    #expect(elements.map(\.position) == [SourcePosition(line: 2, column: 10), SourcePosition(line: 3, column: 3)])
    #expect(members[1].position == SourcePosition(line: 4, column: 2))
    #expect(members[1].value.value == .object([]))
  }

  @Test(
    "numbers are exact",
    arguments: [
      ("0", JSONSyntax.Value.integer(0)), ("-0", .integer(0)), ("42", .integer(42)),
      ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)), ("1.5", .number(1.5)),
      ("-2.5E-1", .number(-0.25)), ("1e3", .number(1000)), ("0.1", .number(0.1)), ("0e0", .number(0)),
    ])
  func numbers(_ text: String, _ value: JSONSyntax.Value) throws {
    #expect(try parse(text).value == value)
  }

  @Test("strings: escapes, surrogate pairs, multi-byte characters")
  func strings() throws {
    #expect(try parse(#""a\"\\\/\b\f\n\r\t\u0041\u00e9\uD83D\uDE00""#).value == .string("a\"\\/\u{8}\u{c}\n\r\tAé😀"))
    #expect(try parse("\"é漢😀\u{7F}\"").value == .string("é漢😀\u{7F}"))
    #expect(try parse(#""\u0000""#).value == .string("\0"))
  }

  @Test(
    "refused, with the place",
    arguments: [
      ("", 1, 1), ("  \n ", 2, 2), ("{", 1, 2), ("[1,]", 1, 4), ("{\"a\":1,}", 1, 8), ("{a:1}", 1, 2),
      ("{\"a\" 1}", 1, 6), ("[1 2]", 1, 4), ("[1", 1, 3), ("{\"a\":1 \"b\":2}", 1, 8), ("1 2", 1, 3), ("{}\n}", 2, 1),
      ("tru", 1, 1), ("trueish", 1, 1), ("nul", 1, 1), ("NaN", 1, 1), ("Infinity", 1, 1), ("'a'", 1, 1),
      ("01", 1, 1), ("-", 1, 2), ("+1", 1, 1), (".5", 1, 1), ("1.", 1, 3), ("1e", 1, 3), ("1e+", 1, 4), ("-a", 1, 2),
      ("9223372036854775808", 1, 1), ("1e999", 1, 1), ("1." + String(repeating: "0", count: 200), 1, 1),
      ("\"", 1, 1), ("[\"a\nb\"]", 1, 2), ("\"a\tb\"", 1, 3), ("\"\\x\"", 1, 2), ("\"\\", 1, 3), ("\"\\u12", 1, 2),
      ("\"\\u12G4\"", 1, 2), ("\"\\ud800\"", 1, 2), ("\"\\udc00\"", 1, 2), ("\"\\ud800\\u0041\"", 1, 2),
      ("\"\\ud800\\n\"", 1, 2), ("{\"a\":1,\n \"a\":2}", 2, 2), ("{\"a\":1, \"\\u0061\":2}", 1, 9), ("// x\n1", 1, 1),
      ("[1, # x\n1]", 1, 5), ("[,1]", 1, 2), ("\u{FEFF}1", 1, 1), ("\u{A0}1", 1, 1),
    ])
  func refused(_ text: String, _ line: Int, _ column: Int) throws {
    let error = try #require(refusal(text), "accepted")
    #expect(error.code == .syntax && error.position == SourcePosition(line: line, column: column), "\(error)")
  }

  @Test(
    "bytes that are not UTF-8 are refused where they stand",
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82],
      [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xF0, 0x9F, 0x98],
    ] as [[UInt8]])
  func invalidUTF8(_ bytes: [UInt8]) throws {
    let error = try #require(refusal([0x22, 0x61] + bytes + [0x22]))
    #expect(error.position == SourcePosition(line: 1, column: 3) && error.message.contains("UTF-8"))
  }

  @Test("the depth is limited, also for a file of nothing but brackets")
  func depth() throws {
    let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    _ = try parse(deepest)
    #expect(refusal("[" + deepest + "]")?.column == 65)
    #expect(refusal(String(repeating: "[", count: 1 << 20))?.column == 65)
    #expect(refusal(String(repeating: "{\"a\":", count: 1 << 18))?.column == 64 * 5 + 1)
  }

  @Test("size and number of values are limited")
  func limits() {
    #expect(refusal([UInt8](repeating: 0x20, count: JSONParser.byteCountMax + 1))?.message.contains("at most") == true)
    let many = "[" + String(repeating: "1,", count: JSONParser.valueCountMax) + "1]"
    #expect(refusal(many)?.message.contains("values") == true)
  }
}

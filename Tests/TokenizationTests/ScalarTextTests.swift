@_spi(_Unicode) import Swift
import Testing

@testable import Tokenization

@Suite("ScalarText")
struct ScalarTextTests {
  private func loaded(_ text: String, composed: Bool) -> [UInt32] {
    var scalars = ScalarText()
    scalars.load("left over from before", composed: true)
    scalars.load(text, composed: composed)
    #expect(scalars.traits.count == scalars.count + 1)
    #expect(scalars.traits.last == .end)
    return Array(scalars.values.dropLast())
  }

  @Test("canonical composition: marks, Hangul, replaced characters, order of marks")
  func composition() {
    let examples: [(String, String)] = [
      ("e\u{301}", "\u{E9}"), ("\u{1100}\u{1161}\u{11A8}x", "\u{AC01}x"), ("\u{AC00}\u{11A8}", "\u{AC01}"),
      ("\u{212B}", "\u{C5}"), ("q\u{307}\u{323}", "q\u{323}\u{307}"), ("\u{1E0B}\u{323}", "\u{1E0D}\u{307}"),
      ("\u{1113}\u{1161}", "\u{1113}\u{1161}"), ("\u{301}a", "\u{301}a"), ("\u{2F800}", "\u{4E3D}"),
      ("\u{FB01}", "\u{FB01}"),
      ("\u{958}", "\u{915}\u{93C}"), ("\u{9C7}\u{9BE}", "\u{9CB}"), ("", ""),
    ]
    for (text, expected) in examples {
      #expect(loaded(text, composed: true) == expected.unicodeScalars.map(\.value))
      #expect(loaded(text, composed: false) == text.unicodeScalars.map(\.value))
    }
  }

  @Test("marks beyond what any language writes are left as they are")
  func longRuns() {
    let text = "a" + String(repeating: "\u{301}\u{316}", count: 200_000)
    #expect(loaded(text, composed: true) == text.unicodeScalars.map(\.value))
  }

  @Test("every scalar that composition can change or join is known as composing")
  func composingTrait() {
    var compositions = 0
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let text = String(Character(scalar))
      guard text._nfc.elementsEqual(text.unicodeScalars) else {
        #expect(ScalarTraits.of(scalar).contains(.composing), "\(scalar)")
        continue
      }
      for joined in text._nfd.dropFirst() {
        compositions += 1
        #expect(ScalarTraits.of(joined).contains(.composing), "\(joined)")
      }
    }
    #expect(compositions > 12_000)
  }

  @Test("traits follow the categories")
  func traits() {
    let examples: [(Unicode.Scalar, ScalarTraits)] = [
      ("a", .letter), ("\u{2B0}", .letter), ("\u{1C5}", .letter), ("日", .letter), ("\u{1D400}", .letter),
      ("7", .number),
      ("\u{2167}", .number), ("\u{BD}", .number), (" ", .whitespace), ("\u{85}", .whitespace),
      ("\u{2028}", .whitespace),
      ("\n", [.whitespace, .lineBreak]), ("\r", [.whitespace, .lineBreak]), ("\u{B}", .whitespace), ("\u{200B}", []),
      ("!", []), ("\u{1F680}", []), ("\u{301}", .composing), ("\u{93E}", .composing),
      ("\u{1161}", [.letter, .composing]),
    ]
    for (scalar, traits) in examples { #expect(ScalarTraits.of(scalar) == traits, "\(scalar)") }
    #expect(ScalarTraits.of("!").isOther && ScalarTraits.of("\u{301}").isOther)
    #expect(!ScalarTraits.end.isOther && !ScalarTraits.of(" ").isOther)
  }
}

@_spi(_Unicode) import Swift
import Testing

@testable import Tokenization

@Suite("ScalarText")
struct ScalarTextTests {
  private func loaded(_ text: String, composed: Bool) -> [UInt32] {
    var scalars = ScalarText()
    scalars.load("left over from before", composed: true)
    scalars.load(text, composed: composed)
    #expect(scalars.traits.count == scalars.count)
    return scalars.values
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
      ("a", [.small, .asciiLetter]), ("Z", [.capital, .asciiLetter]), ("\u{E9}", .small), ("\u{1C5}", .capital),
      ("\u{2B0}", .caseless), ("\u{E01}", .caseless), ("\u{1D400}", .capital),
      ("日", [.caseless, .han, .kanaOrIdeograph]),
      ("\u{9FA6}", [.caseless, .han]), ("\u{20000}", [.caseless, .han]), ("\u{3007}", [.number, .han]),
      ("\u{2E80}", [.sign, .han]), ("カ", [.caseless, .kanaOrIdeograph]),
      ("\u{30FB}", [.punctuation, .kanaOrIdeograph]),
      ("\u{3040}", .kanaOrIdeograph), ("7", .number), ("\u{2167}", .number), ("\u{BD}", .number),
      (" ", [.whitespace, .blank]), ("\u{85}", .whitespace), ("\u{2028}", .whitespace),
      ("\n", [.whitespace, .lineBreak]), ("\r", [.whitespace, .lineBreak]), ("\u{B}", .whitespace), ("\u{200B}", []),
      ("!", [.punctuation, .asciiSymbol]), ("~", [.sign, .asciiSymbol]), ("/", [.punctuation, .asciiSymbol, .slash]),
      ("\u{AB}", .punctuation), ("\u{1F680}", .sign), ("\0", []), ("\u{7F}", []), ("\u{E000}", []), ("\u{FFFE}", []),
      ("\u{301}", [.mark, .composing]), ("\u{93E}", [.mark, .composing]), ("\u{20DD}", .mark),
      ("\u{1161}", [.caseless, .composing]),
    ]
    // These go by lists, which are compared with the expressions that have them (`PieceScannerTests`).
    let listed: ScalarTraits = [.deepSeekLetter, .deepSeekSymbol, .deepSeekIdeograph]
    for (scalar, traits) in examples {
      #expect(ScalarTraits.of(scalar).subtracting(listed) == traits.union(.scalar), "\(scalar)")
    }
    let asciiSymbols = (UInt8(0)..<128).filter { ScalarTraits.of(Unicode.Scalar($0)).contains(.asciiSymbol) }
    #expect(asciiSymbols.count == 32)
  }

  @Test("a set takes scalars with any of some traits and none of others")
  func sets() {
    let set = ScalarSet(.letter, except: [.han, .blank])
    #expect(set.contains(.of("a")) && set.contains(.of("カ")))
    #expect(!set.contains(.of("日")) && !set.contains(.of("1")) && !set.contains(.of(" ")) && !set.contains([]))
  }

  @Test("Chinese characters are known in every plane, and their neighbours are not taken for them")
  func han() {
    for scalar: Unicode.Scalar in [
      "\u{2E80}", "\u{3005}", "\u{4E00}", "\u{9FFF}", "\u{FA6D}", "\u{2A6DF}", "\u{323AF}",
    ] {
      #expect(HanScript.contains(scalar), "\(scalar)")
    }
    for scalar: Unicode.Scalar in ["\u{2E7F}", "\u{2E9A}", "\u{3006}", "\u{30FC}", "\u{FA6E}", "\u{1F680}", "\u{A000}"]
    {
      #expect(!HanScript.contains(scalar), "\(scalar)")
    }
  }
}

import Tensors
import Testing

@testable import Tokenization

@Suite("SpecialTokenTrie")
struct SpecialTokenTrieTests {
  private func trie(_ texts: [[UInt8]]) -> SpecialTokenTrie {
    SpecialTokenTrie(texts.enumerated().map { ($1[...], UInt32($0)) })
  }

  /// By trying every token at every position.
  private func expected(_ texts: [[UInt8]], in text: [UInt8]) -> [SpecialTokenTrie.Match] {
    var matches: [SpecialTokenTrie.Match] = []
    var start = 0
    while start < text.count {
      let found = texts.indices.filter { !texts[$0].isEmpty && text[start...].starts(with: texts[$0]) }
      guard let token = found.max(by: { texts[$0].count < texts[$1].count }) else {
        start += 1
        continue
      }
      let end = start + texts[token].count
      matches.append(SpecialTokenTrie.Match(token: TokenID(UInt32(token)), range: start..<end))
      start = end
    }
    return matches
  }

  @Test("what is found in random texts is the longest token at the first position, then on behind it")
  func randomTexts() {
    var random = SplitMix(seed: 5)
    var (none, some, most) = (0, 0, 0)
    for round in 0..<3000 {
      // Few letters, so that tokens begin, contain and end each other.
      let letters = UInt64(1 + round % 4)
      func bytes(_ longest: UInt64) -> [UInt8] {
        (0..<random.next() % (longest + 1)).map { _ in UInt8(truncatingIfNeeded: 254 + random.next() % letters) }
      }
      let texts = Array(Set((0..<random.next() % 9).map { _ in bytes(1 + UInt64(round % 7)) }))
      let text = bytes(60)
      let found = trie(texts).matches(in: text)
      #expect(found == expected(texts, in: text), "\(texts) in \(text)")
      most = max(most, found.count)
      if found.isEmpty { none += 1 } else { some += 1 }
    }
    #expect(none > 100 && some > 1000 && most > 20)
  }

  @Test("without tokens, and in an empty text, nothing is found; an empty token never is")
  func nothing() {
    #expect(trie([]).matches(in: [1, 2, 3]).isEmpty)
    #expect(trie([[]]).matches(in: [1, 2, 3]).isEmpty)
    #expect(trie([[1]]).matches(in: []).isEmpty)
  }

  @Test("a byte that begins, continues and ends tokens among all 256 is told from the others")
  func wide() {
    let all = UInt8.min...UInt8.max
    let different = Array(Set(all.map { [$0] } + all.map { [7, $0, 9] } + all.map { [7, 7, $0] }))
    let text: [UInt8] = all.flatMap { byte -> [UInt8] in [7, byte, 9, 7, 7, byte, byte] }
    #expect(trie(different).matches(in: text) == expected(different, in: text))
  }
}

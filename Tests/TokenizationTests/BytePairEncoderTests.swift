import Tensors
import Testing

@testable import Tokenization

@Suite("BytePairEncoder")
struct BytePairEncoderTests {
  @Test("the byte alphabet has 256 characters and leads back")
  func alphabet() {
    #expect(Set(ByteAlphabet.scalars).count == 256)
    for byte in UInt8.min...UInt8.max {
      let text = String(decoding: ByteAlphabet.utf8(of: byte), as: UTF8.self)
      #expect(text.unicodeScalars.map { ByteAlphabet.byte(of: $0) } == [byte])
    }
    #expect(ByteAlphabet.utf8(of: 0x20) == Array("Ġ".utf8))
    #expect(ByteAlphabet.utf8(of: 0x0A) == Array("Ċ".utf8))
    #expect(ByteAlphabet.byte(of: " ") == nil)
    #expect(ByteAlphabet.byte(of: "\u{144}") == nil)
    #expect(ByteAlphabet.byte(of: "日") == nil)
  }

  @Test("the queue gives the lowest rank first, then the leftmost position")
  func queue() {
    var random = SplitMix(seed: 5)
    var queue = MergeQueue()
    var expected: [(UInt32, Int)] = []
    for _ in 0..<1000 {
      let entry = (UInt32(random.next() % 20), Int(random.next() % (1 << 40)))
      expected.append(entry)
      queue.insert(MergeQueue.Entry(rank: entry.0, position: entry.1))
    }
    expected.sort { $0 < $1 }
    for entry in expected {
      let first = queue.removeFirst()
      #expect(first?.rank == entry.0 && first?.position == entry.1)
    }
    #expect(queue.removeFirst() == nil)
  }

  @Test("where a model's rules say so, a piece that is a token is that token without any merge; control tokens are not")
  func wholePieces() throws {
    var definition = TokenizerDefinition.bytes(["abc", "Ġabc", "日", "ctl"], merges: []).marking(last: 1, as: .control)
    definition.bos = 0
    definition.addBOS = false
    for (name, takesThem) in [("qwen2", false), ("llama-bpe", true), ("glm4", false), ("tekken", true)] {
      definition.preTokenizer = name
      let tokenizer = try Tokenizer(definition)
      #expect(tokenizer.encode("abc abc") == (takesThem ? [256, 257] : [97, 98, 99, 32, 97, 98, 99]))
      #expect(tokenizer.encode("ctl", parseSpecial: false) == [99, 116, 108])
      #expect(tokenizer.encode("abcd") == [97, 98, 99, 100])
    }
  }

  @Test("random merges give what joining one pair after another by hand gives")
  func againstNaive() throws {
    var random = SplitMix(seed: 9)
    for _ in 0..<30 {
      var definition = TokenizerDefinition.bytes()
      var known = ["a", "b", "c"]
      while known.count < 60 {
        let left = known[Int(random.next() % UInt64(known.count))]
        let right = known[Int(random.next() % UInt64(known.count))]
        guard left.count + right.count < 9, !known.contains(left + right) else { continue }
        known.append(left + right)
        definition.tokens.append(left + right)
        definition.merges.append("\(left) \(right)")
      }
      let tokenizer = try Tokenizer(definition)
      for _ in 0..<20 {
        let text = (0..<Int(random.next() % 60)).map { _ in ["a", "b", "c"][Int(random.next() % 3)] }.joined()
        #expect(tokenizer.encode(text).map { tokenizer.decode([$0]) } == naive(text, definition.merges))
      }
    }
  }

  private func naive(_ text: String, _ merges: [String]) -> [String] {
    var symbols = text.map { String($0) }
    while let merge = merges.first(where: { find($0, symbols) != nil }), let index = find(merge, symbols) {
      symbols.replaceSubrange(index...index + 1, with: [symbols[index] + symbols[index + 1]])
    }
    return symbols
  }

  private func find(_ merge: String, _ symbols: [String]) -> Int? {
    symbols.indices.dropLast().first { "\(symbols[$0]) \(symbols[$0 + 1])" == merge }
  }
}

import Tensors
import Tokenization

/// The prompt of a measurement: tokens of text, drawn in the same way every time.
enum BenchPrompt {
  /// - Parameter vocabularySize: rows of the model's embedding, which may be fewer than the tokenizer's tokens.
  /// - Throws: `InputError` when the vocabulary has no tokens of text.
  static func draw(_ count: Int, _ tokenizer: Tokenizer, vocabularySize: Int) throws -> [TokenID] {
    let ordinary = (0..<UInt32(clamping: min(tokenizer.vocabularyCount, vocabularySize))).map { TokenID($0) }
      .filter { tokenizer.kind(of: $0) == .normal && !tokenizer.endOfGeneration.contains($0) }
    guard !ordinary.isEmpty else {
      throw InputError(.badData, "the model's vocabulary has no tokens of plain text to draw a prompt from")
    }
    var random = SplitMix64()
    return (0..<count).map { _ in ordinary[Int(random.next() % UInt64(ordinary.count))] }
  }
}

/// A small generator that always begins alike.
private struct SplitMix64 {
  private var state: UInt64 = 0x5348_4F41_4C00_0006

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Rules out tokens before one is chosen, such as those that would break a grammar.
public protocol LogitMask {
  /// Sets the logits of tokens that must not be chosen to minus infinity, and changes no other.
  ///
  /// Must depend on nothing but the sequence's tokens before `position`, so that a step that runs again gives the same.
  /// - Parameters:
  ///   - logits: one for each token of the vocabulary, penalties applied.
  ///   - position: of the token that is chosen.
  func exclude(from logits: UnsafeMutableBufferPointer<Float>, position: Int)
}

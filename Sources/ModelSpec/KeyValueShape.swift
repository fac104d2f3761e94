public import Tensors

/// What attention keeps of one position in one layer; the same for all layers of a model.
public struct KeyValueShape: Sendable, Hashable {
  /// Heads that are kept.
  public let heads: Int
  /// Elements of a head's key.
  public let keyElements: Int
  /// Elements of a head's value.
  public let valueElements: Int
  /// Whether values are kept beside the keys; if not, they are the first `valueElements` elements of the keys.
  public let storesValues: Bool

  public init(heads: Int, keyElements: Int, valueElements: Int, storesValues: Bool) {
    self.heads = heads
    self.keyElements = keyElements
    self.valueElements = valueElements
    self.storesValues = storesValues
  }

  /// Bytes kept of a position.
  public func byteCount(_ type: KVType) -> Int {
    let value = storesValues ? type.byteCount(elements: valueElements) : 0
    return heads * (type.byteCount(elements: keyElements) + value)
  }
}

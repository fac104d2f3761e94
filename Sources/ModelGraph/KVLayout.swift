public import ModelSpec
public import Tensors

/// How keys and values lie in a KV block: for each layer of the stage first all key heads, then all value heads,
/// each head `[KVType.blockPositions, head size]`. Where values are a part of the keys there are no value heads.
public struct KVLayout: Sendable, Hashable {
  public let type: KVType
  /// Layers of the stage the block belongs to.
  public let layers: Range<LayerIndex>
  let shape: KeyValueShape

  public init(spec: ModelSpec, layers: Range<LayerIndex>, type: KVType) {
    self.type = type
    self.layers = layers
    shape = spec.keyValueShape
  }

  /// Bytes between two positions of one key head.
  var keyStride: Int { type.byteCount(elements: shape.keyElements) }
  /// Bytes between two positions of one value head.
  var valueStride: Int { shape.storesValues ? type.byteCount(elements: shape.valueElements) : keyStride }
  /// Bytes of one layer in a block.
  public var layerBytes: Int { shape.byteCount(type) * KVType.blockPositions }
  /// Bytes of a block.
  public var blockBytes: Int { layerBytes * layers.count }

  /// Offset in the block of a layer's bytes, in bytes; `layer` is one of `layers`.
  public func offset(of layer: LayerIndex) -> Int { (layer.rawValue - layers.lowerBound.rawValue) * layerBytes }

  /// Offset in the block of a key head's first position.
  func keyOffset(_ layer: LayerIndex, head: Int) -> Int {
    offset(of: layer) + head * keyStride * KVType.blockPositions
  }

  /// Offset in the block of a value head's first position.
  func valueOffset(_ layer: LayerIndex, head: Int) -> Int {
    guard shape.storesValues else { return keyOffset(layer, head: head) }
    return offset(of: layer) + (shape.heads * keyStride + head * valueStride) * KVType.blockPositions
  }
}

/// The KV blocks of one sequence in one stage: block b holds positions b * 64 ..< (b + 1) * 64.
/// Valid until the sequence gets another block or is released.
public struct KVBlockTable {
  let blocks: UnsafePointer<UnsafeMutableRawPointer>

  public init(blocks: UnsafePointer<UnsafeMutableRawPointer>) { self.blocks = blocks }
}

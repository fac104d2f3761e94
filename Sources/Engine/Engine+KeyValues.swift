import ModelGraph
public import Tensors

/// Keys and values on their way from one engine to another.
extension Engine {
  /// The cache of a stage: the old engine's when its layers are the same, else a new one with what the old one has of
  /// them.
  static func cache(
    for stage: EngineConfiguration.HostedStage, _ configuration: EngineConfiguration, _ old: Engine?
  ) -> KVCache {
    if let same = old?.stages.first(where: { $0.layers == stage.layers })?.cache {
      same.limit(sequences: configuration.sequences)
      return same
    }
    let layout = KVLayout(spec: configuration.spec, layers: stage.layers, type: configuration.kvType)
    let cache = KVCache(layout: layout, context: configuration.context, sequences: configuration.sequences)
    for stage in old?.stages ?? [] { cache.copy(from: stage.cache) }
    return cache
  }

  /// What is kept of some layers, to be taken slab by slab; of layers that are not hosted here, nothing.
  public func blockExport(layers: Range<LayerIndex>) -> KVBlockExport {
    KVBlockExport(stages.map(\.cache), layers: layers)
  }

  /// Hands out what is kept of some layers, ordered by sequence, then block, then layer.
  /// - Parameter body: gets one slab a call; its bytes are valid during the call.
  public func exportBlocks(layers: Range<LayerIndex>, body: (KVBlockSlab) throws -> Void) rethrows {
    var export = blockExport(layers: layers)
    while let slab = export.next() { try body(slab) }
  }

  /// Bytes of keys and values that an export of these layers comes to, heads of frames not counted.
  public func exportByteCount(layers: Range<LayerIndex>) -> Int {
    blockExport(layers: layers).slabCount
      * KVLayout(
        spec: configuration.spec, layers: layers, type: configuration.kvType
      ).layerBytes
  }

  /// Takes a slab that another node has exported. To be called before any step begins that uses it; a sequence whose
  /// slabs do not all come has to be computed anew from its tokens.
  /// - Throws: `EngineError` when the layer is not hosted here, the block is past the context, the bytes are not
  ///   `KVLayout.layerBytes`, or there is no room; nothing has changed then.
  public func importBlock(
    sequence: SequenceID, layer: LayerIndex, block: Int, bytes: UnsafeRawBufferPointer
  ) throws(EngineError) {
    guard let stage = stages.first(where: { $0.layers.contains(layer) }) else {
      throw EngineError(.protocolViolation, "keys and values came for layer \(layer), which is not hosted here")
    }
    try stage.cache.store(bytes, sequence: sequence, layer: layer, block: block)
  }
}

import ModelGraph
public import Tensors

/// Keys and values of one layer in one KV block of a sequence, as they lie in the cache.
public struct KVBlockSlab {
  public let sequence: SequenceID
  public let layer: LayerIndex
  /// Which of the sequence's blocks: positions `block * KVType.blockPositions` and following.
  public let block: Int
  /// `KVLayout.layerBytes` bytes; valid during the call that hands the slab out, and with a `KVBlockExport` as long as
  /// that lives and no sequence is released.
  public let bytes: UnsafeRawBufferPointer
}

/// Walks over what an engine keeps of some layers, slab by slab, so that whoever sends them can stop when the network is
/// full and go on later.
///
/// Ordered by sequence, then block, then layer. The engine must do no work meanwhile: it is that of a placement that has
/// ended.
public struct KVBlockExport {
  /// Slabs altogether.
  public let slabCount: Int
  private let caches: [KVCache]
  private let layers: [(layer: LayerIndex, cache: Int)]
  private let sequences: [SequenceID]
  private var sequence = 0
  private var block = 0
  private var layer = 0

  init(_ caches: [KVCache], layers: Range<LayerIndex>) {
    self.caches = caches
    self.layers = layers.compactMap { layer in
      caches.firstIndex { $0.layout.layers.contains(layer) }.map { (layer, $0) }
    }
    let involved = Set(self.layers.map(\.cache))
    sequences = Set(involved.flatMap { caches[$0].sequences }).sorted()
    var count = 0
    for (_, cache) in self.layers {
      for sequence in sequences { count += caches[cache].blockCount(of: sequence) }
    }
    slabCount = count
  }

  /// The next slab; nil after the last.
  public mutating func next() -> KVBlockSlab? {
    while sequence < sequences.count {
      let id = sequences[sequence]
      while layer < layers.count {
        let (index, cache) = layers[layer]
        layer += 1
        guard let bytes = caches[cache].slab(of: id, block: block, layer: index) else { continue }
        return KVBlockSlab(sequence: id, layer: index, block: block, bytes: UnsafeRawBufferPointer(bytes))
      }
      layer = 0
      block += 1
      if !layers.contains(where: { caches[$0.cache].blockCount(of: id) > block }) {
        block = 0
        sequence += 1
      }
    }
    return nil
  }
}

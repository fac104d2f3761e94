public import Tensors

/// Collects metadata and tensors and writes them as a GGUF file, or as a split model.
///
/// What it writes, `GGUFFile` reads: names and sizes are checked as they are added.
public struct GGUFWriter: Sendable {
  /// Version that is written, 2 or 3; they have the same layout.
  public let version: UInt32
  /// Tensors start at multiples of this many bytes.
  public let alignment: Int
  private var metadata: [(key: String, encoded: [UInt8])] = []
  private var tensors: [(name: String, type: QuantType, dimensions: [Int], bytes: [UInt8])] = []
  private var names: Set<String> = []

  /// - Parameters:
  ///   - version: 2 or 3.
  ///   - alignment: a power of two from 1 to 65,536; one that is not the usual 32 is noted in the metadata.
  public init(version: UInt32 = 3, alignment: Int = 32) {
    precondition(version == 2 || version == 3, "GGUF versions 2 and 3 can be written")
    precondition((1...GGUFHeaderParser.alignmentMax).contains(alignment) && alignment & (alignment - 1) == 0)
    self.version = version
    self.alignment = alignment
    guard alignment != GGUFHeaderParser.defaultAlignment else { return }
    var encoder = GGUFEncoder()
    encoder.append(GGUFValueType.uint32.rawValue)
    encoder.append(UInt32(alignment))
    metadata = [(GGUFHeaderParser.alignmentKey, encoder.bytes)]
  }

  /// Sets a key; one that is there already is replaced.
  ///
  /// - Parameters:
  ///   - type: how numbers are stored, the elements' type for an array. By default 32 bits where all numbers fit
  ///     exactly, otherwise 64.
  /// - Throws: `badValue` when the key is empty or too long or is the alignment's, or a number does not fit `type`;
  ///   `wrongType` when the value is of another kind than `type`.
  public mutating func set(_ key: String, _ value: GGUFValue, as type: GGUFValueType? = nil) throws(GGUFError) {
    guard (1...GGUFLimits.standard.keyBytes).contains(key.utf8.count), key != GGUFHeaderParser.alignmentKey else {
      throw GGUFError(
        .badValue,
        "\(quoted(key)) cannot be set: a key has 1 to \(GGUFLimits.standard.keyBytes) bytes, and the "
          + "alignment is given when the writer is made")
    }
    var encoder = GGUFEncoder()
    try encoder.append(value, as: type ?? GGUFEncoder.defaultType(value), key: key)
    if let index = metadata.firstIndex(where: { $0.key == key }) {
      metadata[index].encoded = encoder.bytes
    } else {
      metadata.append((key, encoder.bytes))
    }
  }

  /// Adds a tensor after those that are there.
  ///
  /// - Parameters:
  ///   - name: 1 to 64 bytes, used once.
  ///   - dimensions: one to four, dimension 0 (the columns) being the contiguous one.
  ///   - bytes: the data as it is to be stored.
  /// - Throws: `badTensor`, `duplicateName`.
  public mutating func add(
    _ name: String, _ type: QuantType, dimensions: [Int], bytes: [UInt8]
  ) throws(GGUFError) {
    let tensor = "the tensor \(quoted(name))"
    guard (1...GGUFLimits.standard.tensorNameBytes).contains(name.utf8.count) else {
      throw GGUFError(.badTensor, "\(tensor) must have a name of 1 to \(GGUFLimits.standard.tensorNameBytes) bytes")
    }
    guard (1...4).contains(dimensions.count), dimensions.allSatisfy({ $0 >= 1 }) else {
      throw GGUFError(.badTensor, "\(tensor) must have 1 to 4 dimensions of at least 1, not \(dimensions)")
    }
    switch tensorByteCount(type, dimensions) {
    case .failure(let problem): throw GGUFError(.badTensor, "\(tensor) \(problem.reason)")
    case .success(let needed):
      guard needed == bytes.count else {
        throw GGUFError(.badTensor, "\(tensor) takes \(needed) bytes, but \(bytes.count) were given")
      }
    }
    guard names.insert(name).inserted else { throw GGUFError(.duplicateName, "\(tensor) is there already") }
    tensors.append((name, type, dimensions, bytes))
  }

  /// The file's bytes.
  public func bytes() -> [UInt8] {
    var encoder = GGUFEncoder()
    encoder.bytes += GGUFHeaderParser.magic
    encoder.append(version)
    encoder.append(UInt64(tensors.count))
    encoder.append(UInt64(metadata.count))
    for (key, encoded) in metadata {
      encoder.append(key)
      encoder.bytes += encoded
    }
    var offset = 0
    for tensor in tensors {
      encoder.append(tensor.name)
      encoder.append(UInt32(tensor.dimensions.count))
      for size in tensor.dimensions { encoder.append(UInt64(size)) }
      encoder.append(tensor.type.rawValue)
      encoder.append(UInt64(offset))
      offset = aligned(offset + tensor.bytes.count)
    }
    encoder.pad(to: aligned(encoder.bytes.count))
    for tensor in tensors {
      encoder.bytes += tensor.bytes
      encoder.pad(to: aligned(encoder.bytes.count))
    }
    return encoder.bytes
  }

  /// Writes the file; one that is there already is replaced only when all bytes are on their way to disk.
  /// - Throws: `io`.
  public func write(to path: String) throws(GGUFError) {
    try replaceFile(path, with: bytes())
  }

  /// Writes a split model: metadata in the first file, tensors spread over all in their order.
  ///
  /// - Parameters:
  ///   - stem: the path without `-00001-of-0000N.gguf`.
  ///   - files: number of files, at least 2.
  ///   - metadataFirst: whether the first file holds no tensors.
  /// - Returns: the files' paths, in order.
  /// - Throws: `io`.
  public func writeSplit(to stem: String, files: Int, metadataFirst: Bool = false) throws(GGUFError) -> [String] {
    precondition((2...GGUFLimits.standard.files).contains(files), "a split model has at least two files")
    var paths: [String] = []
    let holders = metadataFirst ? files - 1 : files
    for index in 0..<files {
      var part = GGUFWriter(version: version, alignment: alignment)
      if index == 0 { part.metadata = metadata }
      try part.set(SplitPart.numberKey, .uint(UInt64(index)), as: .uint16)
      try part.set(SplitPart.countKey, .uint(UInt64(files)), as: .uint16)
      try part.set(SplitPart.tensorsKey, .int(Int64(tensors.count)), as: .int32)
      let place = metadataFirst ? index - 1 : index
      if place >= 0 {
        part.tensors = Array(tensors[tensors.count * place / holders..<tensors.count * (place + 1) / holders])
      }
      let path = stem + SplitPart.suffix(index, of: files)
      try part.write(to: path)
      paths.append(path)
    }
    return paths
  }

  private func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }
}

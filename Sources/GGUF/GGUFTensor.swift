public import Tensors

/// One entry of the tensor directory, checked: its bytes lie inside its file and belong to no other tensor.
public struct GGUFTensor: Sendable, Hashable {
  /// Name such as `blk.0.ffn_gate_exps.weight`.
  public let name: String
  /// How the elements are stored.
  public let type: QuantType
  /// One to four sizes, each at least 1, in ggml's order: dimension 0 is the contiguous one (the columns).
  public let dimensions: [Int]
  /// Index of the file that holds the data; 0 unless the model is split.
  public let file: Int
  /// First byte of the data, counted from the start of that file.
  public let offset: Int
  /// Bytes of data.
  public let byteCount: Int

  /// Where all of the tensor's bytes are.
  public var byteRange: ByteRange { ByteRange(file: file, offset: offset, byteCount: byteCount) }
  /// Number of elements.
  public var elementCount: Int { dimensions.reduce(1, *) }
}

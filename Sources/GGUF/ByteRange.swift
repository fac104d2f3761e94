/// A run of bytes in one file of a model.
public struct ByteRange: Sendable, Hashable {
  /// Index of the file; 0 unless the model is split.
  public let file: Int
  /// First byte, counted from the start of the file.
  public let offset: Int
  /// Number of bytes.
  public let byteCount: Int

  /// - Parameters:
  ///   - file: index of the file.
  ///   - offset: first byte, counted from the start of the file.
  ///   - byteCount: number of bytes.
  public init(file: Int, offset: Int, byteCount: Int) {
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
  }
}

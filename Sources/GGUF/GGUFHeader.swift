/// The beginning of one GGUF file: everything but the tensor data. Enough to know the model, so this is what travels
/// to a worker before any weights do.
public struct GGUFHeader: Sendable, Hashable {
  /// Path of the file; empty when the header came over the wire.
  public let path: String
  /// Bytes of the whole file.
  public let fileByteCount: Int
  /// The file's bytes from 0 to the start of the tensor data, alignment padding included.
  public let bytes: [UInt8]

  /// - Parameters:
  ///   - path: path of the file, or empty.
  ///   - fileByteCount: bytes of the whole file.
  ///   - bytes: the file's bytes up to the tensor data; checked by `GGUFFile.init(headers:limits:)`.
  public init(path: String, fileByteCount: Int, bytes: [UInt8]) {
    self.path = path
    self.fileByteCount = fileByteCount
    self.bytes = bytes
  }
}

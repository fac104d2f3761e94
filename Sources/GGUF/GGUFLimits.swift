/// Bounds on what a GGUF header may ask for; they hold for all files of a split model together.
///
/// Every count is also held against the bytes that are left, so that nothing is allocated for what a file merely
/// claims.
public struct GGUFLimits: Sendable, Hashable {
  /// Bytes before the tensor data.
  public var headerBytes = 256 << 20
  /// Metadata keys in one file.
  public var keys = 1 << 16
  /// Bytes of one metadata key (the format's own limit).
  public var keyBytes = 65_535
  /// Bytes of one string value, such as a chat template.
  public var stringBytes = 16 << 20
  /// Elements of all arrays together.
  public var arrayElements = 16 << 20
  /// Tensors.
  public var tensors = 1 << 18
  /// Bytes of one tensor name (the format's own limit).
  public var tensorNameBytes = 64
  /// Files of a split model.
  public var files = 1024

  /// The limits above.
  public static let standard = GGUFLimits()

  /// All limits at their standard values, to be lowered or raised one by one.
  public init() {}
}

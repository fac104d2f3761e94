/// Limits that every decoder holds a peer to; docs/wire.md lists them.
public enum WireLimits {
  /// Bytes of a name, an address or a sentence.
  public static let stringBytes = 64 << 10
  /// Bytes of a prompt given as text, and of the text in one `tokens` message.
  public static let textBytes = 8 << 20
  /// Nodes of a placement.
  public static let nodes = 65_535
  /// Layers of a model.
  public static let layers = 4_096
  /// Routed experts of a layer.
  public static let experts = 65_535
  /// Entries, released sequences or results of a step.
  public static let entries = 65_535
  /// Tokens of a prompt, an entry or a history.
  public static let tokens = 2 << 20
  /// Durable jobs in one list.
  public static let jobs = 65_536
  /// Pieces named in one `prepare`.
  public static let pieces = 1 << 20
  /// Bytes of a piece, a file or a memory size.
  public static let byteCount = 1 << 56
  /// Rows of one dispatch, combine or hand-over frame.
  public static let rows = 65_535
  /// Bytes of weights in one `pieceData` frame.
  public static let pieceChunkBytes = 256 << 10
  /// Bytes of the keys and values of one layer in one KV block: 128 heads of 512 + 512 elements in float32.
  public static let keyValueSlabBytes = 32 << 20
  /// Elements of a hidden state.
  public static let hiddenSize = 1 << 20
  /// Exponents of a combine grid lie in `-gridExponent...gridExponent`.
  public static let gridExponent = 160
}

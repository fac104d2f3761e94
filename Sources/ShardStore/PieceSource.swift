/// Where the bytes of a loaded piece came from.
public enum PieceOrigin: String, Sendable, Hashable, CaseIterable {
  /// The store on this machine.
  case store
  /// A GGUF file on this machine.
  case modelFile
  /// Another process, over the network.
  case network
}

/// Somewhere pieces can be had from. What it gives is not trusted: `PieceLoader` compares it with the digest.
public protocol PieceSource: Sendable {
  /// What kind of place this is.
  var origin: PieceOrigin { get }

  /// The place for messages, such as "the model file /models/a.gguf".
  var name: String { get }

  /// Reads a piece, packed; any piece, also `.header`.
  ///
  /// - Parameters:
  ///   - entry: which piece.
  ///   - buffer: exactly `entry.byteCount` bytes.
  /// - Returns: false when the source does not have the piece; the buffer may have been written to all the same.
  /// - Throws: when it should have the piece but cannot give it. The next source is asked then.
  func read(_ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer) throws -> Bool

  /// Likewise, calling `arrived` with the number of bytes in place so far, so that they are hashed while they are in
  /// the cache. What is in place must not change any more. By default nothing is said until the end.
  func read(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, arrived: (Int) -> Void
  ) throws -> Bool

  /// Told when a piece it gave had a wrong hash. By default nothing happens.
  func reject(_ entry: PieceEntry)
}

extension PieceSource {
  public func read(
    _ entry: PieceEntry, into buffer: UnsafeMutableRawBufferPointer, arrived: (Int) -> Void
  ) throws -> Bool {
    try read(entry, into: buffer)
  }

  public func reject(_ entry: PieceEntry) {}
}

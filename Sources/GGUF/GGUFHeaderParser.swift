/// What one file's header says, before the files of a split model are put together.
struct ParsedHeader {
  var header: GGUFHeader
  var metadata: GGUFMetadata
  var tensors: [GGUFTensor]
  /// Elements of all metadata arrays, for the limit over all files.
  var arrayElements: Int
}

/// Reads and checks the header of one file.
///
/// Format: the ggml project's docs/gguf.md. Little-endian: magic, version, counts of tensors and of keys; the
/// metadata; the tensor directory; padding up to the alignment; the tensor data.
struct GGUFHeaderParser {
  static let magic = Array("GGUF".utf8)
  static let defaultAlignment = 32
  static let alignmentKey = "general.alignment"
  static let alignmentMax = 64 << 10

  let limits: GGUFLimits
  /// Index of the file in its model.
  let fileIndex: Int
  /// Bytes of the whole file.
  let fileByteCount: Int
  var cursor: GGUFCursor
  var arrayElements = 0

  /// Parses the header of a file on disk; reads little more than the header.
  static func parse(_ file: OpenFile, index: Int, limits: GGUFLimits) throws(GGUFError) -> ParsedHeader {
    var parser = GGUFHeaderParser(
      limits: limits, fileIndex: index, fileByteCount: file.identity.byteCount,
      cursor: GGUFCursor(file, limit: limits.headerBytes))
    return try parser.parse()
  }

  /// Parses header bytes that came without their file.
  static func parse(_ header: GGUFHeader, index: Int, limits: GGUFLimits) throws(GGUFError) -> ParsedHeader {
    guard header.bytes.count <= header.fileByteCount else {
      throw GGUFError(
        .badValue, "a header of \(header.bytes.count) bytes cannot be that of a file of \(header.fileByteCount)",
        file: header.path)
    }
    var parser = GGUFHeaderParser(
      limits: limits, fileIndex: index, fileByteCount: header.fileByteCount,
      cursor: GGUFCursor(header.bytes, path: header.path, limit: limits.headerBytes))
    let parsed = try parser.parse()
    guard parsed.header.bytes.count == header.bytes.count else {
      throw GGUFError(
        .badValue, "the header ends at byte \(parsed.header.bytes.count), but \(header.bytes.count) bytes were given",
        file: header.path)
    }
    return parsed
  }

  private mutating func parse() throws(GGUFError) -> ParsedHeader {
    try checkMagicAndVersion()
    let countsAt = cursor.position
    let tensorCount = try cursor.uint64("the tensor count")
    let keyCount = try cursor.uint64("the metadata key count")
    // A metadata record has at least a length, one byte of key, a type and a byte of value; a tensor record a length,
    // one byte of name, a dimension count, one dimension, a type and an offset.
    let keys = try cursor.checked(
      count: keyCount, limit: limits.keys, minimalBytes: 14, "metadata keys", at: countsAt + 8)
    let tensors = try cursor.checked(
      count: tensorCount, limit: limits.tensors, minimalBytes: 33, "tensors", at: countsAt)
    let metadata = try parseMetadata(count: keys)
    let alignment = try parseAlignment(metadata)
    let records = try parseTensorRecords(count: tensors)
    let dataStart = try skipPadding(alignment: alignment, tensors: tensors)
    return ParsedHeader(
      header: GGUFHeader(
        path: cursor.path, fileByteCount: fileByteCount, bytes: Array(cursor.bytes[..<dataStart])),
      metadata: metadata,
      tensors: try placeTensors(records, alignment: alignment, dataStart: dataStart),
      arrayElements: arrayElements)
  }

  private mutating func checkMagicAndVersion() throws(GGUFError) {
    var found: [UInt8] = []
    for _ in 0..<4 { found.append(try cursor.byte("the magic number GGUF")) }
    if found == Self.magic.reversed() {
      throw cursor.error(
        .unsupportedVersion, "this is a big-endian GGUF file; convert it to little-endian", at: 0)
    }
    guard found == Self.magic else {
      throw cursor.error(.notGGUF, "this is not a GGUF file: it does not begin with the letters GGUF", at: 0)
    }
    let version = try cursor.uint32("the version")
    switch version {
    case 2, 3: return
    case 1:
      throw cursor.error(
        .unsupportedVersion, "this is GGUF version 1 of 2023, which is no longer read; convert the model anew", at: 4)
    case _ where version & 0xffff == 0 && version != 0:
      // The magic is written alike in both byte orders; the version tells them apart.
      throw cursor.error(
        .unsupportedVersion, "this is a big-endian GGUF file; convert it to little-endian", at: 4)
    default:
      throw cursor.error(.unsupportedVersion, "GGUF version \(version) is not known; versions 2 and 3 are read", at: 4)
    }
  }

  private func parseAlignment(_ metadata: GGUFMetadata) throws(GGUFError) -> Int {
    let alignment = try metadata.integerIfPresent(Self.alignmentKey, in: 1...Self.alignmentMax)
    guard let alignment else { return Self.defaultAlignment }
    guard alignment & (alignment - 1) == 0 else {
      throw cursor.error(.badValue, "\(Self.alignmentKey) is \(alignment); it must be a power of two", at: 0)
    }
    return alignment
  }

  /// Start of the tensor data. A file without tensors may end without padding.
  private mutating func skipPadding(alignment: Int, tensors: Int) throws(GGUFError) -> Int {
    let end = cursor.position
    let padding = (alignment - end % alignment) % alignment
    let present = tensors == 0 ? min(padding, fileByteCount - end) : padding
    try cursor.need(present, "the padding before the tensor data")
    return end + present
  }
}

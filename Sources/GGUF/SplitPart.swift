/// What one file of a split model says about itself: the keys `split.no` (from 0), `split.count` and
/// `split.tensors.count`, and a name like `NAME-00001-of-00003.gguf` (from 1), as llama.cpp's `gguf-split` writes them.
struct SplitPart: Equatable {
  static let numberKey = "split.no"
  static let countKey = "split.count"
  static let tensorsKey = "split.tensors.count"
  /// The key is a uint16.
  static let countMax = 65_535

  /// Index of the file, from 0.
  let index: Int
  /// Files of the model, at least 2.
  let count: Int
  /// Tensors in all files together.
  let tensors: Int

  /// Nil when the file is a model of its own.
  init?(_ metadata: GGUFMetadata) throws(GGUFError) {
    guard let count = try metadata.integerIfPresent(Self.countKey, in: 0...Self.countMax), count > 1 else { return nil }
    self.count = count
    index = try metadata.integer(Self.numberKey, in: 0...count - 1)
    tensors = try metadata.integer(Self.tensorsKey, in: 0...Int.max)
  }

  /// How the name of file `index` of `count` ends.
  static func suffix(_ index: Int, of count: Int) -> String {
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return "-\(digits(index + 1))-of-\(digits(count)).gguf"
  }

  /// The paths of all files, found from the path of this one.
  func paths(from path: String) throws(GGUFError) -> [String] {
    let suffix = Self.suffix(index, of: count)
    guard path.hasSuffix(suffix) else {
      throw GGUFError(
        .splitMismatch,
        "this is file \(index + 1) of \(count) of a split model, so its name must end in "
          + "\(suffix), or the others cannot be found; rename it", file: path)
    }
    let stem = path.dropLast(suffix.count)
    return (0..<count).map { stem + Self.suffix($0, of: count) }
  }
}

/// Opens all files of a split model, of which the one at `path` is known.
func openSplit(
  _ path: String, _ part: SplitPart, limits: GGUFLimits
) throws(GGUFError) -> [ParsedHeader] {
  guard part.count <= limits.files else {
    throw GGUFError(
      .limitExceeded, "the model is split in \(part.count) files; at most \(limits.files) are allowed", file: path)
  }
  var left = limits
  var parsed: [ParsedHeader] = []
  for (index, path) in try part.paths(from: path).enumerated() {
    let file: OpenFile
    do {
      file = try OpenFile(path)
    } catch {
      throw GGUFError(
        error.code, "\(error.message) (it is file \(index + 1) of \(part.count) of a split model, and all are needed)",
        file: error.file)
    }
    parsed.append(try GGUFHeaderParser.parse(file, index: index, limits: left))
    left.take(parsed[index])
  }
  return parsed
}

/// Checks that the files are all files of one model, in order.
func checkSplit(_ parsed: [ParsedHeader]) throws(GGUFError) {
  let total = parsed.reduce(0) { $0 + $1.tensors.count }
  for (index, file) in parsed.enumerated() {
    let path = file.header.path
    guard let part = try SplitPart(file.metadata) else {
      if parsed.count == 1 { return }
      throw GGUFError(
        .splitMismatch, "this is a model of its own, not file \(index + 1) of \(parsed.count) of a split model",
        file: path)
    }
    guard part.count == parsed.count, part.index == index else {
      throw GGUFError(
        .splitMismatch,
        "this says to be file \(part.index + 1) of \(part.count), but stands in the place of file "
          + "\(index + 1) of \(parsed.count)", file: path)
    }
    guard part.tensors == total else {
      throw GGUFError(
        .splitMismatch,
        "\(SplitPart.tensorsKey) is \(part.tensors), but the \(parsed.count) files hold \(total) "
          + "tensors; do all files belong to the same model?", file: path)
    }
  }
}

extension GGUFLimits {
  /// Takes off what one file used, so that limits hold for all files together.
  mutating func take(_ parsed: ParsedHeader) {
    headerBytes -= parsed.header.bytes.count
    arrayElements -= parsed.arrayElements
    tensors -= parsed.tensors.count
  }
}

import Tensors

/// Reads the ranges and lists of indices that a topology is written with: `"3"`, `"0-2"`, `"0-3,9"`.
///
/// Both ends of a range belong to it. Spaces and tabs around numbers, dashes and commas are ignored.
enum IndexListText {
  /// What is wrong with a text; finished into a `TopologyError` by whoever knows its place.
  struct Problem: Error, Hashable {
    let message: String
  }

  /// Largest index: layers and experts are 16-bit numbers on the wire.
  static let indexMax = 65_535

  /// Ranges in the order they are written; they may touch and overlap.
  static func ranges(_ text: String) throws(Problem) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) { ranges.append(try range(part)) }
    return ranges
  }

  /// One number, or two with a dash between them.
  static func range(_ text: some StringProtocol) throws(Problem) -> Range<Int> {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count <= 2, let first = ends.first, let last = ends.last else {
      throw Problem(message: "\(quoted(text)) is not a range; write it as \"0-3\"")
    }
    let (low, high) = (try index(first, in: text), try index(last, in: text))
    guard low <= high else {
      throw Problem(message: "the range \(quoted(trim(text))) runs backwards; write the smaller number first")
    }
    return low..<high + 1
  }

  private static func index(_ part: some StringProtocol, in text: some StringProtocol) throws(Problem) -> Int {
    let digits = trim(part)
    guard !digits.isEmpty, digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
      let what = trim(text).isEmpty ? "a number is missing" : "\(quoted(trim(text))) is not a number or a range"
      throw Problem(message: "\(what); write for instance \"3\", \"0-3\" or \"0-3,9\"")
    }
    guard let index = Int(digits), index <= indexMax else {
      throw Problem(message: "\(digits) is too large; at most \(indexMax) is possible")
    }
    return index
  }

  private static func trim(_ text: some StringProtocol) -> String {
    let isBlank = { (character: Character) in character == " " || character == "\t" }
    return String(text.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
  }
}

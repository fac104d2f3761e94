@_spi(_Unicode) import Swift

/// A stretch of text between special tokens, as Unicode scalars with their traits, in which pieces are cut.
struct ScalarText {
  /// Values of the scalars.
  private(set) var values: [UInt32] = []
  /// Traits of the scalars.
  private(set) var traits: [ScalarTraits] = []

  /// Number of scalars.
  var count: Int { values.count }

  /// Marks that follow one scalar beyond this number are left as they are: sorting them takes quadratic time in the
  /// standard library, and no language writes more than a few (the Stream-Safe Text Format of UAX #15 allows 30).
  private static let longestComposed = 64

  /// Takes another text.
  /// - Parameter composed: whether canonically equivalent texts become one (Unicode normalization form C).
  mutating func load(_ text: String, composed: Bool) {
    values.removeAll(keepingCapacity: true)
    traits.removeAll(keepingCapacity: true)
    var mustCompose = false
    for scalar in text.unicodeScalars {
      let trait = ScalarTraits.of(scalar)
      values.append(scalar.value)
      traits.append(trait)
      mustCompose = mustCompose || trait.contains(.composing)
    }
    if composed && mustCompose { compose() }
  }

  /// Appends the UTF-8 of the scalars of a range.
  func appendUTF8(of range: Range<Int>, to bytes: inout [UInt8]) {
    for value in values[range] {
      switch value {
      case ..<0x80:
        bytes.append(UInt8(value))
      case ..<0x800:
        bytes.append(UInt8(0xC0 | value >> 6))
        bytes.append(UInt8(0x80 | value & 0x3F))
      case ..<0x10000:
        bytes.append(UInt8(0xE0 | value >> 12))
        bytes.append(UInt8(0x80 | value >> 6 & 0x3F))
        bytes.append(UInt8(0x80 | value & 0x3F))
      default:
        bytes.append(UInt8(0xF0 | value >> 18))
        bytes.append(UInt8(0x80 | value >> 12 & 0x3F))
        bytes.append(UInt8(0x80 | value >> 6 & 0x3F))
        bytes.append(UInt8(0x80 | value & 0x3F))
      }
    }
  }

  /// Replaces every scalar that composing ones follow, and those, by their canonical composition. A scalar that is not
  /// composing begins a new stretch, as nothing before it can reach beyond it.
  private mutating func compose() {
    let source = values
    let sourceTraits = traits
    values.removeAll(keepingCapacity: true)
    traits.removeAll(keepingCapacity: true)
    var start = 0
    while start < source.count {
      var end = start + 1
      while end < source.count, sourceTraits[end].contains(.composing) { end += 1 }
      let isPlain = end == start + 1 && !sourceTraits[start].contains(.composing)
      if isPlain || end - start > Self.longestComposed {
        values.append(contentsOf: source[start..<end])
        traits.append(contentsOf: sourceTraits[start..<end])
      } else {
        var scalars = String.UnicodeScalarView()
        for value in source[start..<end] { scalars.append(Unicode.Scalar(value) ?? "\u{FFFD}") }
        for scalar in String(scalars)._nfc {
          values.append(scalar.value)
          traits.append(ScalarTraits.of(scalar))
        }
      }
      start = end
    }
  }
}

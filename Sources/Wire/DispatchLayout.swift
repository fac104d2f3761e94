public import Tensors

/// The activation forms in which a dispatch carries its rows: bit n stands for the form of raw value n.
public struct ActivationForms: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Only this form.
  public init(_ form: ActivationForm) { rawValue = 1 << form.rawValue }

  /// Every form there is.
  public static let all = ActivationForm.allCases.reduce(into: ActivationForms()) { $0.insert(.init($1)) }

  /// Whether the rows come in this form.
  public func contains(_ form: ActivationForm) -> Bool { contains(ActivationForms(form)) }
}

/// Where things stand in the payload of a dispatch frame.
///
/// 0 layer u16, 2 pass u16, 4 rows u16, 6 forms u8, 7 part u8, 8 choices u32, then exponents i16 a row, counts u16 a row,
/// experts u16 a choice, weights float32 a choice, then for each form, ascending, all rows (docs/wire.md).
public struct DispatchLayout: Sendable, Hashable {
  public static let headBytes = 12

  public let rowCount: Int
  public let choiceCount: Int
  public let forms: ActivationForms
  public let hiddenSize: Int
  /// Bytes of the payload.
  public let byteCount: Int
  private let firstRows: (Int, Int, Int)

  /// - Precondition: `rowCount` in 1...65535, `choiceCount` not negative, `hiddenSize` a multiple of the block of each
  ///   of the `forms`.
  public init(rowCount: Int, choiceCount: Int, forms: ActivationForms, hiddenSize: Int) {
    precondition((1...WireLimits.rows).contains(rowCount) && choiceCount >= 0, "a dispatch of impossible size")
    precondition(Self.fits(forms, hiddenSize: hiddenSize), "no such activation rows of \(hiddenSize) elements")
    self.rowCount = rowCount
    self.choiceCount = choiceCount
    self.forms = forms
    self.hiddenSize = hiddenSize
    var end = Self.headBytes + 4 * rowCount + 6 * choiceCount
    func place(_ form: ActivationForm) -> Int {
      defer { if forms.contains(form) { end += rowCount * form.wireBytes(elements: hiddenSize) } }
      return end
    }
    firstRows = (place(.float32), place(.int8x32), place(.int8x256))
    byteCount = end
  }

  var exponentsOffset: Int { Self.headBytes }
  var countsOffset: Int { Self.headBytes + 2 * rowCount }
  var expertsOffset: Int { Self.headBytes + 4 * rowCount }
  var weightsOffset: Int { Self.headBytes + 4 * rowCount + 2 * choiceCount }

  /// Offset of a row in a form; the form must be one of `forms`.
  func offset(of form: ActivationForm, row: Int) -> Int {
    precondition(forms.contains(form) && (0..<rowCount).contains(row), "no such row in this dispatch")
    let first =
      switch form {
      case .float32: firstRows.0
      case .int8x32: firstRows.1
      case .int8x256: firstRows.2
      }
    return first + row * form.wireBytes(elements: hiddenSize)
  }

  /// Whether rows of `hiddenSize` can be written in each of the forms.
  static func fits(_ forms: ActivationForms, hiddenSize: Int) -> Bool {
    guard (1...WireLimits.hiddenSize).contains(hiddenSize), forms.isSubset(of: .all) else { return false }
    return ActivationForm.allCases.allSatisfy {
      !forms.contains($0) || hiddenSize.isMultiple(of: $0.blockElements)
    }
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.rowCount == right.rowCount && left.choiceCount == right.choiceCount && left.forms == right.forms
      && left.hiddenSize == right.hiddenSize
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(rowCount)
    hasher.combine(choiceCount)
    hasher.combine(forms)
    hasher.combine(hiddenSize)
  }
}

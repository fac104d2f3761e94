/// Amounts of memory as text.
///
/// Units are B, kB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (powers of 1024), in upper or lower case.
public enum ByteCountText {
  private static let units: [(name: String, bytes: Int)] = [
    ("b", 1), ("kb", 1000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
    ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
  ]

  /// Bytes in a text like `"512MB"`, `"1.5 GB"` or `"2GiB"`: a decimal number of at most 9 digits before and 9 after
  /// the point, a unit, and nothing but spaces between them. A fraction of a byte is dropped. Nil for anything else.
  public static func parse(_ text: String) -> Int? {
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(number.count).drop { $0 == " " }.lowercased()
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    guard let scale = units.first(where: { $0.name == unit })?.bytes, parts.count <= 2, let whole = parts.first,
      1...9 ~= whole.count, let units = Int(whole)
    else { return nil }
    let (bytes, overflow) = units.multipliedReportingOverflow(by: scale)
    guard !overflow else { return nil }
    guard parts.count == 2, let digits = parts.last else { return bytes }
    guard 1...9 ~= digits.count, let numerator = Int(digits) else { return nil }
    // 10^9 at most times 2^40 passes 64 bits, so the product is taken in full width.
    let denominator = UInt(repeatElement(10, count: digits.count).reduce(1, *))
    let product = UInt(numerator).multipliedFullWidth(by: UInt(scale))
    let fraction = denominator.dividingFullWidth(product).quotient
    let (sum, overflowing) = bytes.addingReportingOverflow(Int(fraction))
    return overflowing ? nil : sum
  }

  /// The shortest text that `parse` reads as exactly so many bytes: `"512MB"`, `"1.234567891GB"`.
  /// From 10^18 bytes on up to 999 bytes may be dropped.
  /// - Parameter bytes: not negative.
  public static func exact(_ bytes: Int) -> String {
    let names = ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"]
    let whole = zip(names, units).filter { bytes % $1.bytes == 0 && bytes / $1.bytes < 1_000_000_000 }
      .map { "\(bytes / $1.bytes)\($0)" }
    if let shortest = whole.min(by: { $0.utf8.count < $1.utf8.count }) { return shortest }
    let (name, scale) = bytes < 1_000_000_000_000_000_000 ? ("GB", 1_000_000_000) : ("TB", 1_000_000_000_000)
    let decimals = String(1_000_000_000 + bytes % scale / (scale / 1_000_000_000)).dropFirst()
    return "\(bytes / scale).\(decimals)\(name)"
  }

  /// About three digits and a decimal unit: `"812 B"`, `"1.25 MB"`, `"10.3 GB"`; rounded up, so that what is needed
  /// is never shown as less.
  public static func describe(_ bytes: Int) -> String {
    guard bytes >= 1000 else { return "\(bytes) B" }
    var (unit, scale) = (1, 1000)
    while unit < 4, ceil(bytes, scale) >= 1000 {
      unit += 1
      scale *= 1000
    }
    let name = ["B", "kB", "MB", "GB", "TB"][unit]
    for decimals in [100, 10] where ceil(bytes, scale / decimals) < 1000 {
      let value = ceil(bytes, scale / decimals)
      let digits = String(decimals + value % decimals).dropFirst()
      return "\(value / decimals).\(digits) \(name)"
    }
    return "\(ceil(bytes, scale)) \(name)"
  }

  private static func ceil(_ bytes: Int, _ step: Int) -> Int { bytes / step + (bytes % step == 0 ? 0 : 1) }
}

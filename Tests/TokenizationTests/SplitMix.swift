/// A seeded source of random texts.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// Scalars from ranges where rules and encodings change, some from anywhere.
  mutating func text(scalarCount: Int) -> String {
    let ranges: [ClosedRange<UInt32>] = [
      0...0x7F, 0x20...0x40, 0x61...0x7A, 0x9...0xD, 0xC0...0x17F, 0x300...0x36F, 0x590...0x6FF, 0x900...0x9FF,
      0x1100...0x11FF, 0x1E00...0x1FFF, 0x2000...0x2200, 0x3040...0x30FF, 0x4E00...0x4F00, 0xAC00...0xAD00,
      0xFB00...0xFFFF, 0x1D100...0x1D1FF, 0x1F300...0x1F6FF, 0x2F800...0x2FA1F, 0...0x10FFFF,
    ]
    var scalars = String.UnicodeScalarView()
    for _ in 0..<scalarCount {
      if let range = ranges.randomElement(using: &self),
        let scalar = Unicode.Scalar(UInt32.random(in: range, using: &self))
      {
        scalars.append(scalar)
      }
    }
    return String(scalars)
  }

  /// Scalars that the rules for cutting text tell apart, in runs; all of them old enough to be known everywhere.
  mutating func nastyText(scalarCount: Int) -> String {
    let alphabet: [[Unicode.Scalar]] = [
      ["a", "b", "z"], ["A", "B", "Z"], ["'"], ["'"], ["s", "t", "r", "e", "v", "m", "l", "d"],
      ["S", "T", "R", "E", "V", "M", "L", "D", "\u{17F}"], [" "], [" "], ["\n", "\r"], ["\t", "\u{B}", "\u{85}"],
      ["\u{A0}", "\u{3000}", "\u{2028}"], ["0", "7"], ["\u{B2}", "\u{BD}", "\u{2167}", "\u{663}"],
      ["\u{E9}", "\u{DF}", "\u{10428}"], ["\u{C9}", "\u{1C5}", "\u{1D400}"], ["\u{2B0}", "\u{AA}", "\u{E01}"],
      ["\u{301}", "\u{93F}", "\u{20DD}", "\u{E31}"], ["日", "本", "\u{20000}", "\u{3005}", "\u{F900}"],
      ["\u{3007}", "\u{3021}", "\u{2E80}"], ["カ", "ひ", "\u{30FB}", "\u{30FC}", "\u{3099}", "\u{309B}"],
      ["\u{AC00}", "\u{1100}", "\u{1161}"], ["!", "\"", ".", "-", "_"], ["/"], ["+", "$", "^", "`", "\u{20AC}"],
      ["\u{AB}", "\u{2014}", "\u{3001}"], ["\u{1F680}", "\u{1F3FD}", "\u{2705}"],
      ["\u{200D}", "\u{FE0F}", "\u{200B}"], ["\0", "\u{1}", "\u{E000}", "\u{FFFE}", "\u{3040}"],
      ["\u{9FA6}", "\u{9FA5}"], ["\u{1BB}", "\u{294}", "\u{10D0}", "\u{2D00}", "\u{A790}"],
      ["\u{2018}", "\u{201F}", "\u{FF01}", "\u{FF21}", "\u{FF5E}"], ["\u{7FF}", "\u{800}", "\u{D7A3}", "\u{A000}"],
    ]
    var scalars = String.UnicodeScalarView()
    while scalars.count < scalarCount {
      guard let kind = alphabet.randomElement(using: &self) else { break }
      for _ in 0...(next() % 4) {
        if let scalar = kind.randomElement(using: &self) { scalars.append(scalar) }
      }
    }
    return String(scalars)
  }
}

/// How long something took of late: a histogram of fixed size, from which quantiles are read.
///
/// Eight buckets to a doubling, so that a quantile is at most 9.1 % above the true one; from 1 us to about 18 minutes,
/// beyond which everything is in the first and last bucket. Every 1024 samples all older ones are counted half, and a
/// sample is forgotten after ten such halvings. Recording allocates nothing.
public struct LatencyRecord: Sendable {
  /// Samples below which there is no quantile.
  public static let sampleCountMin = 32
  /// Samples after which the older ones count half.
  public static let halfLife = 1024
  private static let octaves = 10..<40
  private static let bucketCount = octaves.count * 8
  /// Weight of a new sample; a power of two, so that halvings are exact until it is forgotten.
  private static let unit: UInt32 = 1024

  /// Weight of the samples in each bucket, `[bucketCount]`.
  private var weights: [UInt32]
  private var totalWeight: UInt64 = 0
  /// Samples recorded ever.
  public private(set) var sampleCount = 0

  /// Nothing recorded.
  public init() { weights = Array(repeating: 0, count: Self.bucketCount) }

  /// Records one duration; a negative one counts as none.
  public mutating func observe(_ duration: Duration) {
    weights[Self.bucket(Self.nanoseconds(duration))] += Self.unit
    totalWeight += UInt64(Self.unit)
    sampleCount += 1
    guard sampleCount % Self.halfLife == 0 else { return }
    totalWeight = 0
    for bucket in weights.indices {
      weights[bucket] /= 2
      totalWeight += UInt64(weights[bucket])
    }
  }

  /// The duration that a share of the recorded ones did not pass, rounded up to the end of its bucket.
  /// - Parameter share: from 0 to 1, for instance 0.99; what lies beyond counts as the nearer end.
  /// - Returns: nil as long as fewer than 32 were recorded.
  public func quantile(_ share: Double) -> Duration? {
    guard sampleCount >= Self.sampleCountMin, !share.isNaN else { return nil }
    let wanted = max(1, min(1, max(0, share)) * Double(totalWeight))
    var passed: UInt64 = 0
    for bucket in weights.indices {
      passed += UInt64(weights[bucket])
      if Double(passed) >= wanted { return .nanoseconds(Self.end(of: bucket)) }
    }
    return nil
  }

  // MARK: - Buckets

  /// 2^(k/8) of 2^16, rounded.
  private static func step(_ eighth: Int) -> UInt64 {
    switch eighth {
    case 0: 65_536
    case 1: 71_468
    case 2: 77_936
    case 3: 84_990
    case 4: 92_682
    case 5: 101_070
    case 6: 110_218
    case 7: 120_194
    default: 131_072
    }
  }

  /// At most about 18 minutes, so that nothing overflows.
  private static func nanoseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    guard seconds < 1 << 11 else { return 1 << 41 }
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
  }

  private static func bucket(_ nanoseconds: UInt64) -> Int {
    guard nanoseconds >= 1 << UInt64(octaves.lowerBound) else { return 0 }
    let octave = 63 - nanoseconds.leadingZeroBitCount
    guard octave < octaves.upperBound else { return bucketCount - 1 }
    // From 2^16 up to 2^17.
    let mantissa = octave >= 16 ? nanoseconds >> UInt64(octave - 16) : nanoseconds << UInt64(16 - octave)
    var eighth = 0
    while mantissa >= step(eighth + 1) { eighth += 1 }
    return (octave - octaves.lowerBound) * 8 + eighth
  }

  private static func end(of bucket: Int) -> Int64 {
    let (octave, eighth) = (bucket / 8 + octaves.lowerBound, bucket % 8)
    return Int64((step(eighth + 1) << UInt64(octave)) >> 16)
  }
}

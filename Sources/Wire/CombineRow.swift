/// Packs rows of int64 sums into as few bytes an element as hold them all, and adds them up again.
///
/// Two's complement, little-endian, 2, 3, 4 or 8 bytes an element. Sums are added with wrap-around, so that no peer
/// can stop the process; honest sums stay far below 2^62 (docs/wire.md).
enum CombineRow {
  /// Fewest of 2, 3, 4 and 8 bytes that hold each of `count` values.
  static func width(_ values: UnsafePointer<Int64>, count: Int) -> Int {
    // Bit n of value ^ value << 1 is set where bits n and n - 1 differ: a value fits into n bits when none from n on
    // is set.
    var changes: UInt64 = 0
    for index in 0..<count {
      let bits = UInt64(bitPattern: values[index])
      changes |= bits ^ (bits &<< 1)
    }
    if changes < 1 << 16 { return 2 }
    if changes < 1 << 24 { return 3 }
    return changes < 1 << 32 ? 4 : 8
  }

  static func isWidth(_ width: UInt8) -> Bool { width == 2 || width == 3 || width == 4 || width == 8 }

  /// Writes `count` values, at least one, as `width * count` bytes.
  static func pack(_ values: UnsafePointer<Int64>, count: Int, width: Int, into target: UnsafeMutableRawPointer) {
    switch width {
    case 2: pack(values, count, as: Int16.self, target)
    case 3: pack3(values, count, target)
    case 4: pack(values, count, as: Int32.self, target)
    default: pack(values, count, as: Int64.self, target)
    }
  }

  /// Adds `count` values of `width` bytes each, at least one, to `sums`.
  static func add(_ source: UnsafeRawPointer, count: Int, width: Int, to sums: UnsafeMutablePointer<Int64>) {
    switch width {
    case 2: add(source, count, as: Int16.self, sums)
    case 3: add3(source, count, sums)
    case 4: add(source, count, as: Int32.self, sums)
    default: add(source, count, as: Int64.self, sums)
    }
  }

  @inline(__always)
  private static func pack<T: FixedWidthInteger & BitwiseCopyable>(
    _ values: UnsafePointer<Int64>, _ count: Int, as type: T.Type, _ target: UnsafeMutableRawPointer
  ) {
    for index in 0..<count {
      let value = T(truncatingIfNeeded: values[index]).littleEndian
      target.storeBytes(of: value, toByteOffset: index &* MemoryLayout<T>.size, as: T.self)
    }
  }

  @inline(__always)
  private static func add<T: FixedWidthInteger & BitwiseCopyable>(
    _ source: UnsafeRawPointer, _ count: Int, as type: T.Type, _ sums: UnsafeMutablePointer<Int64>
  ) {
    for index in 0..<count {
      let value = T(littleEndian: source.loadUnaligned(fromByteOffset: index &* MemoryLayout<T>.size, as: T.self))
      sums[index] &+= Int64(truncatingIfNeeded: value)
    }
  }

  /// Four bytes are stored for each element, the last of which the next element overwrites.
  private static func pack3(_ values: UnsafePointer<Int64>, _ count: Int, _ target: UnsafeMutableRawPointer) {
    for index in 0..<count &- 1 {
      let value = UInt32(truncatingIfNeeded: values[index]).littleEndian
      target.storeBytes(of: value, toByteOffset: 3 &* index, as: UInt32.self)
    }
    let last = values[count &- 1]
    let end = target + 3 &* (count &- 1)
    end.storeBytes(of: UInt16(truncatingIfNeeded: last).littleEndian, as: UInt16.self)
    end.storeBytes(of: UInt8(truncatingIfNeeded: last &>> 16), toByteOffset: 2, as: UInt8.self)
  }

  /// Four bytes are read for each element but the last.
  private static func add3(_ source: UnsafeRawPointer, _ count: Int, _ sums: UnsafeMutablePointer<Int64>) {
    for index in 0..<count &- 1 {
      let bits = Int32(littleEndian: source.loadUnaligned(fromByteOffset: 3 &* index, as: Int32.self))
      sums[index] &+= Int64((bits &<< 8) &>> 8)
    }
    let end = source + 3 &* (count &- 1)
    let low = UInt16(littleEndian: end.loadUnaligned(as: UInt16.self))
    let high = end.load(fromByteOffset: 2, as: Int8.self)
    sums[count &- 1] &+= Int64(high) &<< 16 | Int64(low)
  }
}

import Testing

@testable import Cluster

@Suite struct ByteCountTextTests {
  @Test(
    "amounts with units",
    arguments: [
      ("512MB", 512_000_000), ("1.5GB", 1_500_000_000), ("2GiB", 2 << 30), ("2 gib", 2 << 30), ("1kB", 1000),
      ("1 KiB", 1024), ("7B", 7), ("0.5KiB", 512), ("1.999999999 kb", 1999), ("3tb", 3_000_000_000_000),
      ("999999.999999999TiB", 1_099_511_627_775_998_900), ("0MB", 0),
    ])
  func parse(_ text: String, _ bytes: Int) {
    #expect(ByteCountText.parse(text) == bytes)
  }

  @Test(
    "refused",
    arguments: [
      "", "MB", "512", "512 M", "-1MB", "+1MB", "1.MB", ".5GB", "1.2.3GB", "1e3MB", "1 MB ", " 1MB", "1\tMB", "1Mib!",
      "9999999999B", "1.0000000000MB", "999999999TiB", "1,5GB", "٣MB", "1XB",
    ])
  func refused(_ text: String) {
    #expect(ByteCountText.parse(text) == nil)
  }

  @Test(
    "written and read, nothing is lost",
    arguments: [
      0, 1, 999_999_999, 1_000_000_000, 1_000_000_001, 2 << 30, 9_999_999_999, 123_456_789_012_345_678,
      999_999_999_999_999_999,
    ])
  func exact(_ bytes: Int) {
    #expect(ByteCountText.parse(ByteCountText.exact(bytes)) == bytes)
  }

  @Test(
    "described with three digits, rounded up",
    arguments: [
      (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (1001, "1.01 kB"), (512_000_000, "512 MB"),
      (512_000_001, "513 MB"), (9_990_001, "10.0 MB"), (99_900_001, "100 MB"), (999_000_001, "1.00 GB"),
      (10_250_000_000, "10.3 GB"), (1_050_000, "1.05 MB"), (5_000_000_000_000_000, "5000 TB"),
      (.max, "9223373 TB"),
    ])
  func describe(_ bytes: Int, _ text: String) {
    #expect(ByteCountText.describe(bytes) == text)
  }

  @Test("the exact text is read as exactly so many bytes")
  func exact() {
    for (bytes, text) in [
      (0, "0B"), (1, "1B"), (512_000_000, "512MB"), (1_610_612_736, "1536MiB"), (1 << 31, "2GiB"),
      (1_234_567_891, "1.234567891GB"), (999_999_999, "999999999B"), (17_000_000_000_000, "17TB"),
    ] {
      #expect(ByteCountText.exact(bytes) == text && ByteCountText.parse(text) == bytes)
    }
    var random = SeededGenerator(seed: 61)
    for _ in 0..<1000 {
      let bytes = Int.random(in: 0..<1 << Int.random(in: 1...59, using: &random), using: &random)
      #expect(ByteCountText.parse(ByteCountText.exact(bytes)) == bytes)
    }
    #expect(ByteCountText.parse(ByteCountText.exact(.max)).map { Int.max - $0 < 1000 } == true)
  }
}

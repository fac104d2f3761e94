import Testing

@Suite struct SeededNumbersTests {
  @Test("the generator is not constant, repeats with its seed and looks normal")
  func distribution() {
    var numbers = SeededNumbers(seed: 1)
    let values = (0..<4096).map { _ in numbers.normal() }
    #expect(Set(values).count > 4000)
    let mean = values.reduce(0, +) / 4096
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4096
    #expect(abs(mean) < 0.08)
    #expect(abs(variance - 1) < 0.1)

    var again = SeededNumbers(seed: 1)
    #expect((0..<4096).map { _ in again.normal() } == values)
    var other = SeededNumbers(seed: 2)
    #expect((0..<4096).map { _ in other.normal() } != values)
  }

  @Test("the bytes take every value")
  func bytes() {
    var numbers = SeededNumbers(seed: 3)
    #expect(Set(numbers.bytes(8192)).count == 256)
  }
}

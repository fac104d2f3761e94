import Testing

@testable import shoal

@Suite struct ProcessMemoryTests {
  @Test("the line of the most memory is read; anything else is not known")
  func status() {
    #expect(
      ProcessMemory.peakBytes(inStatus: "Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n") == 12_641_280)
    for odd in ["", "VmHWM:", "VmHWM: 5 MB", "VmHWM: -5 kB", "VmHWM: 99999999999999999999 kB", "VmHWM: 1 2 kB"] {
      #expect(ProcessMemory.peakBytes(inStatus: odd) == 0, "\(odd)")
    }
  }

  @Test("this process has some")
  func own() { #expect(ProcessMemory.peakBytes > 1 << 20) }
}

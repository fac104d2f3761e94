import Testing
import Transport

@Suite struct PulseTests {
  @Test("a pulse counts beats and says whether the thread works")
  func counts() {
    let pulse = Pulse()
    #expect(pulse.count == 0 && !pulse.isWorking)
    for _ in 0..<3 { pulse.beat() }
    pulse.isWorking = true
    #expect(pulse.count == 3 && pulse.isWorking)
    pulse.isWorking = false
    #expect(pulse.count == 3 && !pulse.isWorking)
  }

  @Test("beats of several threads are all counted")
  func threads() throws {
    let pulse = Pulse()
    let threads = (0..<4).map { _ in TestThread { for _ in 0..<1000 { pulse.beat() } } }
    for thread in threads { try thread.value() }
    #expect(pulse.count == 4000)
  }
}

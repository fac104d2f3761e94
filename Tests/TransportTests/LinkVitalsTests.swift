import Testing
import Transport

@Suite struct LinkVitalsTests {
  private func vitals(_ received: UInt64, _ acknowledged: UInt64, _ pending: UInt64) -> LinkVitals {
    LinkVitals(bytesReceived: received, bytesAcknowledged: acknowledged, bytesPending: pending)
  }

  @Test("received bytes show life, acknowledged ones only while others wait")
  func life() {
    let earlier = vitals(5, 7, 3)
    #expect(vitals(6, 7, 0).showsLife(since: earlier))
    #expect(vitals(5, 8, 1).showsLife(since: earlier))
    #expect(!vitals(5, 8, 0).showsLife(since: earlier))
    #expect(!vitals(5, 7, 9).showsLife(since: earlier))
    #expect(!earlier.showsLife(since: earlier))
  }
}

import Synchronization
import Testing
import Transport

@Suite struct MailboxTests {
  @Test("elements come out in the order they went in, also around the end of the storage")
  func order() {
    let mailbox = Mailbox<Int>(capacity: 1000)
    var next = 0
    var expected = 0
    for round in 0..<300 {
      for _ in 0..<(round % 7) + 1 {
        #expect(mailbox.post(next))
        next += 1
      }
      for _ in 0..<(round % 6) + 1 where mailbox.count > 0 {
        #expect(mailbox.take() == expected)
        expected += 1
      }
    }
    while let element = mailbox.take() {
      #expect(element == expected)
      expected += 1
    }
    #expect(expected == next)
  }

  @Test("a full mailbox refuses, a closed one too, and what was in it can be taken")
  func bounds() {
    let mailbox = Mailbox<Int>(capacity: 2)
    #expect(mailbox.post(1) && mailbox.post(2) && !mailbox.post(3))
    #expect(mailbox.take() == 1)
    #expect(mailbox.post(4))
    mailbox.close()
    #expect(!mailbox.post(5))
    #expect(mailbox.take() == 2 && mailbox.take() == 4 && mailbox.take() == nil)
    #expect(!mailbox.wait())
  }

  @Test("a deadline ends the wait for nothing")
  func deadline() {
    let mailbox = Mailbox<Int>(capacity: 1)
    #expect(!mailbox.wait(until: ContinuousClock.now + .milliseconds(2)))
  }

  @Test("posts from several threads all arrive, each thread's in order")
  func threads() throws {
    let mailbox = Mailbox<(Int, Int)>(capacity: 1_000_000)
    let woken = Atomic<Int>(0)
    let noted = Mailbox<Int>(capacity: 1_000_000) { woken.wrappingAdd(1, ordering: .relaxed) }
    let posters = (0..<4).map { thread in
      TestThread {
        for value in 0..<2000 {
          mailbox.post((thread, value))
          noted.post(value)
        }
      }
    }
    var next = [0, 0, 0, 0]
    for _ in 0..<8000 {
      try #require(mailbox.wait(until: ContinuousClock.now + .seconds(20)))
      guard let (thread, value) = mailbox.take() else { continue }
      #expect(value == next[thread])
      next[thread] = value + 1
    }
    #expect(next == [2000, 2000, 2000, 2000])
    for poster in posters { try poster.value() }
    #expect(noted.count == 8000)
    #expect(woken.load(ordering: .relaxed) == 8000)
  }
}

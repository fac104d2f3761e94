import Synchronization
import Testing

@testable import Kernels

@Suite struct ThreadTeamTests {
  @Test("every index is done exactly once", arguments: [1, 2, 3, 7])
  func everyIndex(threads: Int) {
    let team = ThreadTeam(threads: threads)
    #expect(team.threadCount == threads)
    for (count, grain) in [(0, 1), (1, 1), (2, 1), (5, 8), (8, 8), (9, 8), (100, 7), (1000, 1), (4096, 64)] {
      for _ in 0..<20 {
        let counters = (0..<count).map { _ in Counter() }
        team.parallelFor(count: count, grain: grain) { range, thread in
          #expect(range.lowerBound % grain == 0 && (range.upperBound % grain == 0 || range.upperBound == count))
          #expect((0..<threads).contains(thread))
          for index in range { counters[index].add() }
        }
        #expect(counters.allSatisfy { $0.value == 1 })
      }
    }
  }

  @Test("what helpers write is there when the loop returns, also when all sleep at once", arguments: [0, 1_000_000])
  func visibility(lookNanoseconds: UInt64) {
    let team = ThreadTeam(threads: 4, lookNanoseconds: lookNanoseconds)
    var memory = [Int](repeating: 0, count: 512)
    memory.withUnsafeMutableBufferPointer { buffer in
      // SAFETY: each index is written by one member, and read only between loops.
      nonisolated(unsafe) let buffer = buffer
      for round in 1...2000 {
        team.parallelFor(count: buffer.count, grain: 8) { range, _ in
          for index in range { buffer[index] += index + round }
        }
      }
    }
    let rounds = 2000 * 2001 / 2
    #expect(memory.enumerated().allSatisfy { $0.element == 2000 * $0.offset + rounds })
  }

  @Test("two members never work under the same number at the same time")
  func members() {
    let team = ThreadTeam(threads: 3)
    let busy = (0..<3).map { _ in Counter() }
    let clashes = Counter()
    for _ in 0..<200 {
      team.parallelFor(count: 50, grain: 1) { _, thread in
        if busy[thread].add() != 0 { clashes.add() }
        busy[thread].subtract()
      }
    }
    #expect(clashes.value == 0)
  }

  @Test("helpers share the work")
  func sharing() {
    let team = ThreadTeam(threads: 2)
    let (arrived, met) = (Counter(), Counter())
    // Each of the two pieces waits for the other: only two members can end this.
    team.parallelFor(count: 2, grain: 1) { _, _ in
      arrived.add()
      while arrived.value < 2 {}
      met.add()
    }
    #expect(met.value == 2)
  }

  @Test("a team can end while its helpers look for work, and while they sleep", arguments: [0, 1_000_000])
  func ending(lookNanoseconds: UInt64) {
    for threads in [1, 2, 5] {
      for _ in 0..<20 {
        let team = ThreadTeam(threads: threads, lookNanoseconds: lookNanoseconds)
        let counter = Counter()
        team.parallelFor(count: 10, grain: 1) { range, _ in counter.add(range.count) }
        #expect(counter.value == 10)
      }
      _ = ThreadTeam(threads: threads)
    }
  }

  @Test("several teams work side by side")
  func teams() {
    let (outer, inner) = (ThreadTeam(threads: 2), [ThreadTeam(threads: 2), ThreadTeam(threads: 2)])
    let counter = Counter()
    for _ in 0..<50 {
      outer.parallelFor(count: 2, grain: 1) { range, _ in
        inner[range.lowerBound].parallelFor(count: 16, grain: 2) { range, _ in counter.add(range.count) }
      }
    }
    #expect(counter.value == 50 * 32)
  }

  @Test("a loop inside a loop of the same team is refused")
  func nested() async {
    await #expect(processExitsWith: .failure) {
      let team = ThreadTeam(threads: 2)
      team.parallelFor(count: 4, grain: 1) { _, _ in team.parallelFor(count: 4, grain: 1) { _, _ in } }
    }
  }
}

/// A number that several threads count.
private final class Counter: Sendable {
  private let number = Atomic<Int>(0)

  var value: Int { number.load(ordering: .sequentiallyConsistent) }
  /// The value before.
  @discardableResult
  func add(_ amount: Int = 1) -> Int {
    number.wrappingAdd(amount, ordering: .sequentiallyConsistent).oldValue
  }
  func subtract() { number.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
}

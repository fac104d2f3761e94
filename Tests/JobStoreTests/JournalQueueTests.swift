import Dispatch
import Tensors
import Testing

@testable import JobStore

@Suite("JournalQueue")
struct JournalQueueTests {
  /// A disk whose syncs wait until they are let through.
  private final class SlowDisk: JobDisk {
    let disk = SimulatedDisk()
    let arrived = DispatchSemaphore(value: 0)
    let passes = DispatchSemaphore(value: 0)

    var path: String? { disk.path }
    func byteCount() throws(JournalError) -> Int? { try disk.byteCount() }
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(JournalError) -> Int {
      try disk.read(at: offset, into: buffer)
    }
    func append(_ bytes: [UInt8]) throws(JournalError) { try disk.append(bytes) }
    func sync() throws(JournalError) {
      arrived.signal()
      passes.wait()
      try disk.sync()
    }
    func truncate(to byteCount: Int) throws(JournalError) { try disk.truncate(to: byteCount) }
    func beginReplacement() throws(JournalError) { try disk.beginReplacement() }
    func appendToReplacement(_ bytes: [UInt8]) throws(JournalError) { try disk.appendToReplacement(bytes) }
    func syncReplacement() throws(JournalError) { try disk.syncReplacement() }
    func installReplacement() throws(JournalError) { try disk.installReplacement() }
    func discardReplacement() { disk.discardReplacement() }
  }

  private func accepted(_ id: UInt64) -> JournalEntry {
    var random = SplitMix(id)
    return .accepted(Samples.job(id, &random))
  }

  @Test("what piles up during a sync shares the next one; answers come in order, and only for what is durable")
  func coalesces() throws {
    let slow = SlowDisk()
    let queue = JournalQueue(try Journal.open(slow).journal)
    let answers = Answers()
    queue.write([accepted(1)]) { answers.add($0) }
    slow.arrived.wait()
    for id in UInt64(2)...9 { queue.write([accepted(id)]) { answers.add($0) } }
    queue.write([accepted(4)]) { answers.add($0) }
    #expect(answers.codes.isEmpty)
    slow.passes.signal()
    slow.arrived.wait()
    #expect(answers.codes == [nil])
    slow.passes.signal()
    queue.drain()
    #expect(answers.codes == [JournalError.Code?](repeating: nil, count: 9) + [.contradiction])
    #expect(slow.disk.count(.append) == 2 && slow.disk.count(.sync) == 2)
    #expect(try JournalReader.read(slow.disk)?.jobs.map(\.id.rawValue) == Array(1...9))
  }

  @Test("beyond its bound it says busy at once, and takes more when the disk has caught up")
  func bound() throws {
    let slow = SlowDisk()
    let size = accepted(1).encodedByteCount
    let queue = JournalQueue(try Journal.open(slow).journal, byteLimit: 2 * size)
    let answers = Answers()
    queue.write([accepted(1)]) { answers.add($0) }
    slow.arrived.wait()
    queue.write([accepted(2)]) { answers.add($0) }
    queue.write([accepted(3)]) { answers.add($0) }
    #expect(answers.codes == [.busy])
    queue.write([accepted(4), accepted(5), accepted(6)]) { answers.add($0) }
    #expect(answers.codes == [.busy, .overLimit])
    slow.passes.signal()
    slow.passes.signal()
    slow.passes.signal()
    queue.drain()
    queue.write([accepted(3)]) { answers.add($0) }
    queue.drain()
    #expect(answers.codes == [.busy, .overLimit, nil, nil, nil])
    #expect(try JournalReader.read(slow.disk)?.jobs.map(\.id.rawValue) == [1, 2, 3])
  }

  @Test("a failed write fails all that shared it, and what comes next is tried again")
  func failure() throws {
    let disk = SimulatedDisk()
    let queue = JournalQueue(try Journal.open(disk).journal)
    disk.fail(.append, .noSpace)
    let answers = Answers()
    queue.write([accepted(1)]) { answers.add($0) }
    queue.drain()
    queue.write([accepted(1)]) { answers.add($0) }
    queue.drain()
    #expect(answers.codes == [.noSpace, nil])
  }
}

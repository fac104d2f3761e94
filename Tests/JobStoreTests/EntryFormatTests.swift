import Scheduling
import Tensors
import Testing

@testable import JobStore

@Suite("EntryFormat")
struct EntryFormatTests {
  private func decoded(_ bytes: [UInt8]) throws -> JournalEntry {
    try bytes.withUnsafeBytes { buffer in
      var reader = EntryReader(buffer, base: 100)
      let entry = try reader.entry()
      try reader.finish()
      return entry
    }
  }

  private func samples() -> [JournalEntry] {
    var random = SplitMix(5)
    let id = JobID(rawValue: 0x0102_0304_0506_0708)
    return [
      .accepted(Samples.job(3, prompt: 4, &random)), .accepted(Samples.job(.max - 1, prompt: 0, &random)),
      Samples.answer(4, first: 9, 3, &random), Samples.answer(4, first: 0, 0, &random),
      .ended(id, .stop, Samples.times(&random)), .ended(id, .length, JobTimes(firstToken: 0)),
      .ended(id, .cancelled, JobTimes(stageCount: 4_294_967_295)), .failed(id, reason: ""),
      .failed(id, reason: "Ωmega\n"), .nextID(id),
    ]
  }

  @Test("every entry comes back, and has the length it announces")
  func roundTrip() throws {
    for entry in samples() {
      let bytes = Samples.encoded(entry)
      #expect(bytes.count == entry.encodedByteCount)
      #expect(try decoded(bytes) == entry)
    }
  }

  @Test("every bit of the sampling parameters, the log-probabilities and the times is kept")
  func bits() throws {
    let odd = Float(bitPattern: 0x7FA0_1234)
    var random = SplitMix(6)
    var job = Samples.job(1, &random)
    job.created = -1
    job.sampling = SamplingParameters(
      temperature: odd, topK: .min, topP: -0.0, minP: .infinity, repeatPenalty: .leastNonzeroMagnitude,
      frequencyPenalty: -.infinity, presencePenalty: .greatestFiniteMagnitude, penaltyWindow: .max, seed: .max)
    let entries: [JournalEntry] = [
      .accepted(job), .tokens(job.id, first: 0, tokens: [TokenID(.max)], logProbabilities: [odd]),
      .ended(job.id, .stop, JobTimes(queue: .nan, prefill: -0.0, decode: .infinity, firstToken: .signalingNaN)),
    ]
    for entry in entries { #expect(Samples.encoded(try decoded(Samples.encoded(entry))) == Samples.encoded(entry)) }
    guard case .accepted(let read) = try decoded(Samples.encoded(entries[0])) else {
      Issue.record("no accepted job")
      return
    }
    #expect(read.sampling.temperature.bitPattern == odd.bitPattern)
    #expect(read.sampling.topK == .min && read.sampling.penaltyWindow == .max && read.sampling.seed == .max)
    #expect(read.sampling.topP.sign == .minus && read.sampling.presencePenalty == .greatestFiniteMagnitude)
    #expect(read.created == -1)
  }

  @Test("the bytes are those of docs/journal.md")
  func golden() {
    let id = JobID(rawValue: 0x0102_0304_0506_0708)
    let idBytes: [UInt8] = [8, 7, 6, 5, 4, 3, 2, 1]
    #expect(Samples.encoded(.nextID(id)) == [8, 0, 0, 0, 5, 0, 0, 0] + idBytes)
    #expect(
      Samples.encoded(.failed(id, reason: "no")) == [14, 0, 0, 0, 4, 0, 0, 0] + idBytes + [2, 0, 0, 0, 0x6E, 0x6F])
    #expect(
      Samples.encoded(.tokens(id, first: 258, tokens: [3], logProbabilities: [-1]))
        == [28, 0, 0, 0, 2, 0, 0, 0] + idBytes + [2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0x80, 0xBF])
    #expect(
      Samples.encoded(
        .ended(id, .cancelled, JobTimes(queue: 1, prefill: 2, decode: 0.5, firstToken: 3, stageCount: 6, nodeCount: 7)))
        == [52, 0, 0, 0, 3, 0, 0, 0] + idBytes + [2, 1, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        + [0, 0, 0, 0, 0, 0, 0, 0x40] + [0, 0, 0, 0, 0, 0, 0xE0, 0x3F] + [0, 0, 0, 0, 0, 0, 0x08, 0x40])
    let job = AcceptedJob(
      id: id, created: 2, model: Digest(bytes: [UInt8](repeating: 0xDD, count: 32))!, numericsVersion: 3, kvType: .f32,
      combine: .compact, promptTokens: [9],
      sampling: SamplingParameters(
        temperature: 1, topK: 4, topP: 2, minP: 0.5, repeatPenalty: -1, frequencyPenalty: -2, presencePenalty: -0.5,
        penaltyWindow: 5, seed: 6),
      maxTokens: 7, ignoreEOS: true)
    let floats: [UInt8] = [0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0, 0x3F, 0, 0, 0x80, 0xBF, 0, 0, 0, 0xC0, 0, 0, 0, 0xBF]
    func long(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0, 0, 0, 0, 0] }
    var expected: [UInt8] = [120, 0, 0, 0, 1, 0, 0, 0] + idBytes + long(2) + [UInt8](repeating: 0xDD, count: 32)
    expected += [3, 0, 0, 0, 1, 1, 1, 0] + long(7) + [0, 0] + floats + long(4) + long(5) + long(6)
    expected += [1, 0, 0, 0, 9, 0, 0, 0]
    #expect(Samples.encoded(.accepted(job)) == expected)
  }

  @Test("an entry cut off anywhere, with bytes behind it or with a wild number is refused, with the offset")
  func hostile() throws {
    for entry in samples() {
      let bytes = Samples.encoded(entry)
      for cut in bytes.indices {
        let error = caught { _ = try decoded(Array(bytes[..<cut])) }
        #expect(error?.code == .badFormat && (error?.offset ?? 0) >= 100)
      }
      #expect(caught { _ = try decoded(bytes + [0]) }?.code == .badFormat)
      for place in 0..<(bytes.count - 3) {
        for wild in [UInt8(0xFF), 0x7F] {
          var changed = bytes
          changed.replaceSubrange(place..<place + 4, with: [0xFF, 0xFF, 0xFF, wild])
          if let read = try? decoded(changed) { #expect(Samples.encoded(read) == changed) }
        }
      }
    }
    #expect(caught { _ = try decoded([8, 0, 0, 0, 6, 0, 0, 0] + [UInt8](repeating: 0, count: 8)) }?.code == .badFormat)
    #expect(
      caught { _ = try decoded(Samples.encoded(.failed(JobID(rawValue: 1), reason: "a")).dropLast() + [0xFF]) } != nil)
  }
}

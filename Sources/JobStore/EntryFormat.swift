import Scheduling
import Tensors

/// How entries lie in the payload of a record; docs/journal.md says every byte.
enum EntryFormat {
  enum Kind: UInt8 {
    case accepted = 1
    case tokens = 2
    case ended = 3
    case failed = 4
    case nextID = 5
  }

  /// Bytes in front of each entry: length of its body (u32), kind (u8), three zeros.
  static let headBytes = 8
  /// Bytes of the bodies, without what they hold any number of.
  static let acceptedBytes = 116
  static let tokensBytes = 20
  static let endedBytes = 52
  static let failedBytes = 12
  static let nextIDBytes = 8

  /// Numbers of the reasons are part of the format.
  static let reasons: [EndReason] = [.stop, .length, .cancelled]

  /// Adds an entry that `JournalEntry.validate` has let pass.
  static func append(_ entry: JournalEntry, to bytes: inout [UInt8]) {
    let kind: Kind =
      switch entry {
      case .accepted: .accepted
      case .tokens: .tokens
      case .ended: .ended
      case .failed: .failed
      case .nextID: .nextID
      }
    bytes.append(integer: UInt32(entry.encodedByteCount - headBytes))
    bytes.append(contentsOf: [kind.rawValue, 0, 0, 0])
    switch entry {
    case .accepted(let job): append(job, to: &bytes)
    case .tokens(let id, let first, let tokens, let logProbabilities):
      bytes.append(integer: id.rawValue)
      bytes.append(integer: UInt64(first))
      bytes.append(integer: UInt32(tokens.count))
      for token in tokens { bytes.append(integer: token.rawValue) }
      for value in logProbabilities { bytes.append(integer: value.bitPattern) }
    case .ended(let id, let reason, let times):
      bytes.append(integer: id.rawValue)
      bytes.append(UInt8(reasons.firstIndex(of: reason) ?? 0))
      bytes.append(times.firstToken == nil ? 0 : 1)
      bytes.append(contentsOf: [0, 0])
      bytes.append(integer: UInt32(times.stageCount))
      bytes.append(integer: UInt32(times.nodeCount))
      for seconds in [times.queue, times.prefill, times.decode, times.firstToken ?? 0] {
        bytes.append(integer: seconds.bitPattern)
      }
    case .failed(let id, let reason):
      bytes.append(integer: id.rawValue)
      bytes.append(integer: UInt32(reason.utf8.count))
      bytes.append(contentsOf: reason.utf8)
    case .nextID(let id): bytes.append(integer: id.rawValue)
    }
  }

  private static func append(_ job: AcceptedJob, to bytes: inout [UInt8]) {
    bytes.append(integer: job.id.rawValue)
    bytes.append(integer: job.created)
    bytes.append(contentsOf: job.model.bytes)
    bytes.append(integer: job.numericsVersion)
    bytes.append(contentsOf: [job.kvType.rawValue, job.combine.rawValue, job.ignoreEOS ? 1 : 0, 0])
    bytes.append(integer: UInt64(job.maxTokens))
    let sampling = job.sampling
    for value in [
      sampling.temperature, sampling.topP, sampling.minP, sampling.repeatPenalty, sampling.frequencyPenalty,
      sampling.presencePenalty,
    ] {
      bytes.append(integer: value.bitPattern)
    }
    bytes.append(integer: Int64(sampling.topK))
    bytes.append(integer: Int64(sampling.penaltyWindow))
    bytes.append(integer: sampling.seed)
    bytes.append(integer: UInt32(job.promptTokens.count))
    for token in job.promptTokens { bytes.append(integer: token.rawValue) }
  }
}

extension [UInt8] {
  /// Adds an integer, lowest byte first.
  mutating func append(integer value: some FixedWidthInteger & BitwiseCopyable) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// `withUnsafeBytes`, which does not pass typed errors on.
  func lend<Value, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let result: Result<Value, Failure> = withUnsafeBytes { bytes in
      do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// `withUnsafeMutableBytes`, which does not pass typed errors on.
  mutating func lendMutable<Value, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let result: Result<Value, Failure> = withUnsafeMutableBytes { bytes in
      do throws(Failure) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

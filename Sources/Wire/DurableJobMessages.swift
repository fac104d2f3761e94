/// How far a durable job is.
public enum JobStateCode: UInt8, Sendable, Hashable, CaseIterable {
  /// It waits for its turn, or for the cluster.
  case waiting = 0
  case running = 1
  case done = 2
  case cancelled = 3
  case failed = 4
}

/// One durable job, as `shoal jobs` lists it.
public struct JobDescription: Sendable, Hashable {
  public let job: UInt64
  public let state: JobStateCode
  /// Generated so far.
  public let tokens: Int
  /// Milliseconds since 1970.
  public let created: UInt64
  /// Why it waits or has failed; empty where there is nothing to say.
  public let reason: String

  public init(job: UInt64, state: JobStateCode, tokens: Int, created: UInt64, reason: String) {
    self.job = job
    self.state = state
    self.tokens = tokens
    self.created = created
    self.reason = reason
  }

  func write(to writer: inout WireWriter) {
    writer.u64(job)
    writer.u8(state.rawValue)
    writer.zeros(3)
    writer.int(tokens)
    writer.u64(min(created, UInt64(WireLimits.byteCount)))
    writer.string(reason)
  }

  init(from reader: inout WireReader) throws(WireError) {
    job = try reader.u64("job")
    state = try reader.enumeration("state of a job")
    try reader.zeros(3, "reserved")
    tokens = try reader.int("tokens", in: 0...Int(Int32.max))
    created = UInt64(try reader.long("time of creation"))
    reason = try reader.string("reason")
  }
}

/// Client to coordinator: which durable jobs are there.
public struct JobsRequest: WireMessage {
  /// The client's own number; the answer repeats it.
  public let request: UInt64

  public init(request: UInt64) { self.request = request }

  public func write(to writer: inout WireWriter) { writer.u64(request) }

  public init(from reader: inout WireReader) throws(WireError) { request = try reader.u64("request") }
}

/// Coordinator to client: durable jobs, ascending.
public struct JobList: WireMessage {
  public let request: UInt64
  public let jobs: [JobDescription]

  public init(request: UInt64, jobs: [JobDescription]) {
    self.request = request
    self.jobs = jobs
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.list(jobs) { $1.write(to: &$0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    jobs = try reader.list("jobs", limit: WireLimits.jobs, elementBytes: 28) { (reader) throws(WireError) in
      try JobDescription(from: &reader)
    }
  }
}

/// Client to coordinator: tell me of this durable job, from a token on.
public struct Attach: WireMessage {
  public let request: UInt64
  public let job: UInt64
  /// Tokens of the answer that the client has already.
  public let tokenCount: Int

  public init(request: UInt64, job: UInt64, tokenCount: Int) {
    self.request = request
    self.job = job
    self.tokenCount = tokenCount
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.u64(job)
    writer.int(tokenCount)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    job = try reader.u64("job")
    tokenCount = try reader.int("tokens that are there", in: 0...Int(Int32.max))
  }
}

/// Client to coordinator: end this durable job; answered with a `jobList` of it.
public struct CancelJob: WireMessage {
  public let request: UInt64
  public let job: UInt64

  public init(request: UInt64, job: UInt64) {
    self.request = request
    self.job = job
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.u64(job)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    job = try reader.u64("job")
  }
}

public import Scheduling
public import Tensors

/// A prompt as its client gives it.
public enum WirePrompt: Sendable, Hashable {
  /// Fed as they are.
  case tokens([TokenID])
  /// To be tokenized by the coordinator, with the tokens the model wants in front.
  case text(String)
}

/// Client to coordinator: generate.
public struct Submit: WireMessage {
  /// The client's own number for this request; the answer repeats it.
  public let request: UInt64
  public let prompt: WirePrompt
  public let sampling: SamplingParameters
  /// Most tokens to generate.
  public let maxTokens: Int
  /// Go on after an end-of-sequence token.
  public let ignoresEOS: Bool
  /// How many of the prompt's last positions the client wants logits of; nothing is generated when it is not 0.
  public let logitRows: Int
  /// Whether the job is to outlive this connection and the coordinator's process: it is answered once it is on disk,
  /// and its tokens are told to whoever attaches to it.
  public let isDurable: Bool

  public init(
    request: UInt64, prompt: WirePrompt, sampling: SamplingParameters, maxTokens: Int, ignoresEOS: Bool,
    logitRows: Int = 0, isDurable: Bool = false
  ) {
    self.request = request
    self.prompt = prompt
    self.sampling = sampling
    self.maxTokens = maxTokens
    self.ignoresEOS = ignoresEOS
    self.logitRows = logitRows
    self.isDurable = isDurable
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    sampling.write(to: &writer)
    writer.u32(UInt32(clamping: maxTokens))
    writer.int(logitRows)
    writer.bool(ignoresEOS)
    switch prompt {
    case .tokens(let tokens):
      writer.u8(0)
      writer.bool(isDurable)
      writer.zeros(1)
      TokenID.writeList(tokens, to: &writer)
    case .text(let text):
      writer.u8(1)
      writer.bool(isDurable)
      writer.zeros(1)
      writer.string(text, limit: WireLimits.textBytes)
    }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    sampling = try SamplingParameters(from: &reader)
    maxTokens = Int(try reader.u32("most tokens"))
    logitRows = try reader.int("rows of logits", in: 0...WireLimits.tokens)
    ignoresEOS = try reader.bool("ignore EOS")
    let isText = try reader.bool("kind of prompt")
    isDurable = try reader.bool("is durable")
    try reader.zeros(1, "reserved")
    prompt =
      isText
      ? .text(try reader.string("prompt", limit: WireLimits.textBytes))
      : .tokens(try TokenID.readList("tokens of the prompt", from: &reader))
  }
}

/// Coordinator to client: the job is accepted.
public struct Submitted: WireMessage {
  /// The client's number for the request.
  public let request: UInt64
  public let job: UInt64
  public let seed: UInt64
  /// What the prompt was split into.
  public let promptTokens: [TokenID]

  public init(request: UInt64, job: UInt64, seed: UInt64, promptTokens: [TokenID]) {
    self.request = request
    self.job = job
    self.seed = seed
    self.promptTokens = promptTokens
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.u64(job)
    writer.u64(seed)
    TokenID.writeList(promptTokens, to: &writer)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    job = try reader.u64("job")
    seed = try reader.u64("seed")
    promptTokens = try TokenID.readList("tokens of the prompt", from: &reader)
  }
}

/// A generated token and the natural logarithm of its probability.
public struct GeneratedToken: Sendable, Hashable {
  public let token: TokenID
  public let logProbability: Float

  public init(token: TokenID, logProbability: Float) {
    self.token = token
    self.logProbability = logProbability
  }
}

/// Coordinator to client: the next tokens of a job.
public struct GeneratedTokens: WireMessage {
  public let job: UInt64
  public let tokens: [GeneratedToken]
  /// What they add to the text; a character may be cut between two messages.
  public let text: [UInt8]

  public init(job: UInt64, tokens: [GeneratedToken], text: [UInt8]) {
    self.job = job
    self.tokens = tokens
    self.text = text
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(job)
    writer.list(tokens) { writer, generated in
      writer.u32(generated.token.rawValue)
      writer.float(generated.logProbability)
    }
    writer.int(text.count)
    text.withUnsafeBytes { writer.raw($0) }
  }

  public init(from reader: inout WireReader) throws(WireError) {
    job = try reader.u64("job")
    tokens = try reader.list("tokens", limit: WireLimits.tokens, elementBytes: 8) { (reader) throws(WireError) in
      let token = TokenID(rawValue: try reader.u32("token"))
      return GeneratedToken(token: token, logProbability: try reader.finiteFloat("log-probability"))
    }
    let count = try reader.count("text", limit: WireLimits.textBytes, elementBytes: 1)
    text = Array(try reader.raw(count, "text"))
  }
}

/// Coordinator to client: logits of some positions of the prompt.
public struct PromptLogits: WireMessage {
  public let job: UInt64
  /// Position of the first row.
  public let position: Int
  public let rows: Int
  /// `[rows, vocabulary]`
  public let values: [Float]

  public init(job: UInt64, position: Int, rows: Int, values: [Float]) {
    self.job = job
    self.position = position
    self.rows = rows
    self.values = values
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(job)
    writer.int(position)
    writer.int(rows)
    LogitRows.write(values, to: &writer)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    job = try reader.u64("job")
    position = try reader.int("position", in: 0...Int(Int32.max))
    rows = try reader.int("rows of logits", in: 1...WireLimits.rows)
    values = try LogitRows.read(rows: rows, from: &reader)
  }
}

/// Client to coordinator: a job is no longer wanted.
public struct Cancel: WireMessage {
  public let job: UInt64

  public init(job: UInt64) { self.job = job }

  public func write(to writer: inout WireWriter) { writer.u64(job) }

  public init(from reader: inout WireReader) throws(WireError) { job = try reader.u64("job") }
}

/// Coordinator to client: a request was refused or a job has failed.
public struct JobFailed: WireMessage {
  /// The client's number when this answers a `submit`, otherwise 0.
  public let request: UInt64
  /// 0 when no job came to be.
  public let job: UInt64
  /// Why, for programs; 0 when there is no particular code.
  public let code: UInt16
  /// Why, for people, and what to do.
  public let sentence: String

  public init(request: UInt64, job: UInt64, code: UInt16, sentence: String) {
    self.request = request
    self.job = job
    self.code = code
    self.sentence = sentence
  }

  public func write(to writer: inout WireWriter) {
    writer.u64(request)
    writer.u64(job)
    writer.u16(code)
    writer.string(sentence)
  }

  public init(from reader: inout WireReader) throws(WireError) {
    request = try reader.u64("request")
    job = try reader.u64("job")
    code = try reader.u16("code")
    sentence = try reader.string("sentence")
  }
}

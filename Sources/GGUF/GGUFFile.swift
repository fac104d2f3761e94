public import Tensors

/// A whole model as its GGUF headers describe it: one file, or all files of a split model. Holds no weights.
public struct GGUFFile: Sendable {
  /// Keys and values; of a split model, those of the first file.
  public let metadata: GGUFMetadata
  /// All tensors, in the order of the files.
  public let tensors: [GGUFTensor]
  /// The header of each file, in order; enough to make this value again elsewhere.
  public let headers: [GGUFHeader]
  private let indices: [String: Int]

  /// Opens a model by the path of its file; of a split model, by that of any of its files, the others being found
  /// beside it by their names (`NAME-00001-of-00003.gguf`). Only headers are read, whatever the size of the files.
  ///
  /// - Throws: any `GGUFError`; `io` names the file that is missing.
  public static func open(_ path: String, limits: GGUFLimits = .standard) throws(GGUFError) -> GGUFFile {
    let parsed = try GGUFHeaderParser.parse(OpenFile(path), index: 0, limits: limits)
    guard let part = try SplitPart(parsed.metadata) else {
      return try GGUFFile(parsed: [parsed])
    }
    return try GGUFFile(parsed: openSplit(path, part, limits: limits))
  }

  /// Makes a model from headers alone, as a worker does that has no weights yet. The bytes are checked like those of
  /// a file; tensors must lie inside the stated file sizes.
  ///
  /// - Parameter headers: one for each file of the model, in order.
  /// - Throws: any `GGUFError` but `io`.
  public init(headers: [GGUFHeader], limits: GGUFLimits = .standard) throws(GGUFError) {
    guard !headers.isEmpty else { throw GGUFError(.splitMismatch, "a model has at least one GGUF header") }
    guard headers.count <= limits.files else {
      throw GGUFError(.limitExceeded, "\(headers.count) GGUF headers; at most \(limits.files) are allowed")
    }
    var left = limits
    var parsed: [ParsedHeader] = []
    for (index, header) in headers.enumerated() {
      parsed.append(try GGUFHeaderParser.parse(header, index: index, limits: left))
      left.take(parsed[index])
    }
    try self.init(parsed: parsed)
  }

  /// Puts the files of a model together; they must be all of its files, in order.
  init(parsed: [ParsedHeader]) throws(GGUFError) {
    try checkSplit(parsed)
    metadata = parsed[0].metadata
    headers = parsed.map(\.header)
    tensors = parsed.flatMap(\.tensors)
    var byteCount = 0
    for header in headers {
      let (sum, overflow) = byteCount.addingReportingOverflow(header.fileByteCount)
      guard !overflow else {
        throw GGUFError(.badValue, "the stated file sizes add up to more than 2^63 bytes", file: header.path)
      }
      byteCount = sum
    }
    self.byteCount = byteCount
    var indices: [String: Int] = [:]
    for (index, tensor) in tensors.enumerated() {
      guard indices.updateValue(index, forKey: tensor.name) == nil else {
        throw GGUFError(
          .duplicateName, "the tensor \(quoted(tensor.name)) is also in another file of the model",
          file: parsed[tensor.file].header.path)
      }
    }
    self.indices = indices
  }

  /// The tensor of that name; nil when the model has none.
  public func tensor(_ name: String) -> GGUFTensor? { indices[name].map { tensors[$0] } }

  /// The paths of the model's files, in order; empty strings where headers came over the wire.
  public var paths: [String] { headers.map(\.path) }

  /// Bytes of all files of the model.
  public let byteCount: Int

  /// Where one expert's weights are in a stacked tensor `[columns, rows, experts]`, such as
  /// `blk.3.ffn_gate_exps.weight`.
  ///
  /// - Parameters:
  ///   - tensor: a tensor of this model. A missing dimension 2 counts as 1: writers drop trailing sizes of 1.
  ///   - expert: index of the expert.
  ///   - count: the number of experts that the model has in a layer; dimension 2 must equal it.
  /// - Throws: `badTensor` when the tensor is not stacked like that or has no such expert.
  public func expertRange(
    _ tensor: GGUFTensor, expert: ExpertIndex, of count: Int
  ) throws(GGUFError) -> ByteRange {
    let path = headers.indices.contains(tensor.file) ? headers[tensor.file].path : nil
    let stacked = tensor.dimensions.count > 2 ? tensor.dimensions[2] : 1
    guard tensor.dimensions.count <= 3, stacked == count else {
      let sizes = tensor.dimensions.map(String.init).joined(separator: " x ")
      throw GGUFError(
        .badTensor,
        "the tensor \(quoted(tensor.name)) is \(sizes); it must stack the weights of \(count) experts "
          + "(columns x rows x \(count))", file: path)
    }
    guard (0..<count).contains(expert.rawValue) else {
      throw GGUFError(
        .badTensor, "the tensor \(quoted(tensor.name)) has experts 0 to \(count - 1), not \(expert)", file: path)
    }
    let bytes = tensor.byteCount / count
    return ByteRange(file: tensor.file, offset: tensor.offset + expert.rawValue * bytes, byteCount: bytes)
  }
}

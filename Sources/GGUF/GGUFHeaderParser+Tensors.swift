import Tensors

extension GGUFHeaderParser {
  /// A directory entry whose place in the file is not yet checked.
  struct TensorRecord {
    let name: String
    let type: QuantType
    let dimensions: [Int]
    /// Counted from the start of the tensor data.
    let relativeOffset: UInt64
    let byteCount: Int
    /// Where the entry itself stands.
    let position: Int
  }

  /// Reads `count` directory entries.
  mutating func parseTensorRecords(count: Int) throws(GGUFError) -> [TensorRecord] {
    var records: [TensorRecord] = []
    records.reserveCapacity(count)
    var names: Set<String> = []
    for index in 0..<count {
      let record = try parseTensorRecord("tensor \(index) of \(count)")
      guard names.insert(record.name).inserted else {
        throw cursor.error(.duplicateName, "the tensor \(quoted(record.name)) occurs twice", at: record.position)
      }
      records.append(record)
    }
    return records
  }

  private mutating func parseTensorRecord(_ which: String) throws(GGUFError) -> TensorRecord {
    let start = cursor.position
    let name = try cursor.string(limit: limits.tensorNameBytes, "the name of \(which)")
    guard !name.isEmpty else { throw cursor.error(.badTensor, "\(which) has no name", at: start) }
    var tensor: String { "the tensor \(quoted(name))" }
    let dimensionCount = try cursor.uint32("the dimension count of \(tensor)")
    guard (1...4).contains(dimensionCount) else {
      throw cursor.error(.badTensor, "\(tensor) has \(dimensionCount) dimensions; 1 to 4 are allowed", at: start)
    }
    var dimensions: [Int] = []
    for index in 0..<dimensionCount {
      let size = try cursor.uint64("dimension \(index) of \(tensor)")
      guard let size = Int(exactly: size), size >= 1 else {
        throw cursor.error(.badTensor, "dimension \(index) of \(tensor) is \(size)", at: start)
      }
      dimensions.append(size)
    }
    let typeNumber = try cursor.uint32("the type of \(tensor)")
    guard let type = QuantType(rawValue: typeNumber) else {
      let known = QuantType.allCases.map { "\($0.name) (\($0.rawValue))" }.joined(separator: ", ")
      throw cursor.error(
        .badTensor, "\(tensor) has the unknown quant type \(typeNumber); known are \(known)", at: start)
    }
    let byteCount: Int
    switch tensorByteCount(type, dimensions) {
    case .success(let bytes): byteCount = bytes
    case .failure(let problem): throw cursor.error(.badTensor, "\(tensor) \(problem.reason)", at: start)
    }
    let offset = try cursor.uint64("the offset of \(tensor)")
    return TensorRecord(
      name: name, type: type, dimensions: dimensions, relativeOffset: offset, byteCount: byteCount, position: start)
  }

  /// Checks where the tensors' data lies and turns the offsets into those of the file.
  func placeTensors(
    _ records: [TensorRecord], alignment: Int, dataStart: Int
  ) throws(GGUFError) -> [GGUFTensor] {
    var tensors: [GGUFTensor] = []
    tensors.reserveCapacity(records.count)
    let dataBytes = fileByteCount - dataStart
    for record in records {
      guard let offset = Int(exactly: record.relativeOffset), offset <= dataBytes,
        record.byteCount <= dataBytes - offset
      else {
        throw cursor.error(
          .badTensor,
          "the tensor \(quoted(record.name)) reaches outside the file: \(record.byteCount) bytes at offset "
            + "\(record.relativeOffset) of \(dataBytes) bytes of data; was the file copied completely?",
          at: record.position)
      }
      guard offset % alignment == 0 else {
        throw cursor.error(
          .badTensor,
          "the tensor \(quoted(record.name)) starts at offset \(offset), which is no multiple of the "
            + "alignment \(alignment)", at: record.position)
      }
      tensors.append(
        GGUFTensor(
          name: record.name, type: record.type, dimensions: record.dimensions, file: fileIndex,
          offset: dataStart + offset, byteCount: record.byteCount))
    }
    try checkOverlaps(tensors, records)
    return tensors
  }

  private func checkOverlaps(_ tensors: [GGUFTensor], _ records: [TensorRecord]) throws(GGUFError) {
    let order = tensors.indices.sorted { tensors[$0].offset < tensors[$1].offset }
    for (left, right) in zip(order, order.dropFirst())
    where tensors[right].offset - tensors[left].offset < tensors[left].byteCount {
      throw cursor.error(
        .badTensor, "the tensors \(quoted(tensors[left].name)) and \(quoted(tensors[right].name)) overlap",
        at: records[max(left, right)].position)
    }
  }
}

/// Why dimensions do not suit a type.
struct TensorSizeProblem: Error {
  /// Continues a sentence that begins with the tensor.
  let reason: String
}

/// Bytes of a tensor: whole blocks in each row, and no overflow on the way. Sizes must be at least 1.
func tensorByteCount(_ type: QuantType, _ dimensions: [Int]) -> Result<Int, TensorSizeProblem> {
  let columns = dimensions[0]
  guard columns % type.blockElements == 0 else {
    return .failure(
      TensorSizeProblem(
        reason: "has rows of \(columns) elements, which is no multiple of the \(type.blockElements) in a block of "
          + type.name))
  }
  var bytes = type.rowBytes(elements: columns)
  var elements: Int? = columns
  for size in dimensions.dropFirst() {
    bytes = bytes.flatMap { product($0, size) }
    elements = elements.flatMap { product($0, size) }
  }
  guard let bytes, elements != nil else {
    return .failure(TensorSizeProblem(reason: "is too large: \(dimensions.map(String.init).joined(separator: " x "))"))
  }
  return .success(bytes)
}

private func product(_ left: Int, _ right: Int) -> Int? {
  let (result, overflow) = left.multipliedReportingOverflow(by: right)
  return overflow ? nil : result
}

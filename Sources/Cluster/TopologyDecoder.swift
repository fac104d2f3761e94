import Tensors

/// Turns the JSON of a topology into a `Topology`, refusing what is wrong in itself.
struct TopologyDecoder {
  let file: String

  func topology(_ root: JSONSyntax) throws(TopologyError) -> Topology {
    let fields = try TopologyFields<TopologyKey>(root, what: "the topology", file: file)
    let nodes = try nodes(try fields.required(.nodes))
    return Topology(
      file: file,
      schema: try fields[.schema].map { syntax throws(TopologyError) in try string(syntax, "\"$schema\"") },
      model: try model(try fields.required(.model)),
      context: try fields[.context].map { syntax throws(TopologyError) in
        try integer(syntax, "\"context\"", in: 1...Topology.contextMax)
      },
      sequences: try fields[.sequences].map { syntax throws(TopologyError) in
        try integer(syntax, "\"sequences\"", in: 1...Topology.sequencesMax)
      } ?? Located(Topology.sequencesDefault, at: root.position),
      keyValueType: try choice(fields[.kv], "\"kv\"", of: KVType.allCases, named: \.name, default: .f16, root),
      combine: try choice(
        fields[.combine], "\"combine\"", of: CombineMode.allCases, named: \.name, default: .exact, root),
      nodes: nodes,
      stages: try stages(try fields.required(.stages), nodes: nodes))
  }

  private func model(_ syntax: JSONSyntax) throws(TopologyError) -> Located<String> {
    let path = try string(syntax, "\"model\"")
    guard !path.isEmpty, path.utf8.count <= 4096, !path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
      throw error(syntax, "\"model\" must be the path of a GGUF file, without control characters")
    }
    return Located(path, at: syntax.position)
  }

  // MARK: - Scalars

  func string(_ syntax: JSONSyntax, _ what: String) throws(TopologyError) -> String {
    guard case .string(let text) = syntax.value else {
      throw error(syntax, "\(what) must be a string, not \(syntax.kind)")
    }
    return text
  }

  func integer(_ syntax: JSONSyntax, _ what: String, in range: ClosedRange<Int>) throws(TopologyError) -> Located<Int> {
    switch syntax.value {
    case .integer(let integer):
      guard range.contains(integer) else {
        throw error(
          syntax, "\(what) is \(integer); it must be from \(range.lowerBound) to \(range.upperBound)")
      }
      return Located(integer, at: syntax.position)
    case .number: throw error(syntax, "\(what) must be a whole number, written without point and exponent")
    default: throw error(syntax, "\(what) must be a whole number, not \(syntax.kind)")
    }
  }

  /// One of a few names.
  private func choice<Value>(
    _ syntax: JSONSyntax?, _ what: String, of cases: [Value], named name: (Value) -> String, default: Value,
    _ root: JSONSyntax
  ) throws(TopologyError) -> Located<Value> {
    guard let syntax else { return Located(`default`, at: root.position) }
    let text = try string(syntax, what)
    guard let value = cases.first(where: { name($0) == text }) else {
      let known = cases.map { "\"\(name($0))\"" }.joined(separator: " or ")
      throw error(syntax, "\(what) is \(quoted(text)); it must be \(known)")
    }
    return Located(value, at: syntax.position)
  }

  // MARK: - Errors

  func error(_ syntax: JSONSyntax, _ message: String) -> TopologyError { error(at: syntax.position, message) }

  func error(at position: SourcePosition, _ message: String) -> TopologyError {
    TopologyError(.value, file: file, at: position, message)
  }

  /// Names for a message, not more than a line of them.
  static func list(_ names: [String]) -> String {
    names.count <= 12 ? names.joined(separator: ", ") : names.prefix(12).joined(separator: ", ") + ", ..."
  }
}

import Tensors

/// Keys at the top of a topology.
enum TopologyKey: String, CaseIterable {
  case schema = "$schema"
  case model, context, sequences, kv, combine, nodes, stages
}

/// Keys of one node.
enum TopologyNodeKey: String, CaseIterable {
  case address, threads, memory, advertise
}

/// Keys of one stage.
enum TopologyStageKey: String, CaseIterable {
  case layers, host, experts
}

/// The members of one JSON object, sorted by the keys that are known in it.
struct TopologyFields<Key: RawRepresentable & CaseIterable & Hashable> where Key.RawValue == String {
  let position: SourcePosition
  private let values: [Key: JSONSyntax]
  private let file: String
  private let what: String

  /// - Parameter what: the object, as an error begins: `node "reef"`.
  init(_ syntax: JSONSyntax, what: String, file: String) throws(TopologyError) {
    guard case .object(let members) = syntax.value else {
      throw TopologyError(.value, file: file, at: syntax.position, "\(what) must be an object, not \(syntax.kind)")
    }
    var values: [Key: JSONSyntax] = [:]
    for member in members {
      guard let key = Key(rawValue: member.name) else {
        let known = Key.allCases.map(\.rawValue).joined(separator: ", ")
        throw TopologyError(
          .value, file: file, at: member.position,
          "\(what): unknown key \(quoted(member.name)); known here are \(known)")
      }
      values[key] = member.value
    }
    self.values = values
    self.file = file
    self.what = what
    position = syntax.position
  }

  subscript(key: Key) -> JSONSyntax? { values[key] }

  func required(_ key: Key) throws(TopologyError) -> JSONSyntax {
    guard let value = values[key] else {
      throw TopologyError(.value, file: file, at: position, "\(what): \"\(key.rawValue)\" is missing; add it")
    }
    return value
  }
}

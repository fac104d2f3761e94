import Tensors

extension TopologyDecoder {
  /// `{ "reef": { "address": "local" }, ... }`
  func nodes(_ syntax: JSONSyntax) throws(TopologyError) -> [TopologyNode] {
    guard case .object(let members) = syntax.value else {
      throw error(syntax, "\"nodes\" must be an object that names every node, not \(syntax.kind)")
    }
    guard !members.isEmpty else { throw error(syntax, "\"nodes\" names no node; add at least one") }
    guard members.count <= Topology.nodeCountMax else {
      throw error(syntax, "\"nodes\" names \(members.count) nodes; at most \(Topology.nodeCountMax) are possible")
    }
    var nodes: [TopologyNode] = []
    var owners: [String: JSONSyntax.Member] = [:]
    for member in members {
      let node = try node(member)
      if case .remote(let address) = node.address, let owner = owners.updateValue(member, forKey: address) {
        throw error(
          at: member.position,
          "node \(quoted(member.name)) has the address of node \(quoted(owner.name)) (line \(owner.position.line)); "
            + "one worker serves one node")
      }
      nodes.append(node)
    }
    return nodes
  }

  private func node(_ member: JSONSyntax.Member) throws(TopologyError) -> TopologyNode {
    guard TopologyNode.isName(member.name) else {
      throw error(
        at: member.position,
        "\(quoted(member.name)) cannot name a node; use 1 to \(TopologyNode.nameLengthMax) of A-Z, a-z, 0-9, "
          + "\".\", \"_\" and \"-\"")
    }
    let what = "node \(quoted(member.name))"
    let fields = try TopologyFields<TopologyNodeKey>(member.value, what: what, file: file)
    return TopologyNode(
      name: Located(NodeID(member.name), at: member.position),
      address: try address(try fields.required(.address), what),
      threads: try fields[.threads].map { syntax throws(TopologyError) in
        try integer(syntax, "\(what): \"threads\"", in: 1...1024)
      },
      memoryBytes: try fields[.memory].map { syntax throws(TopologyError) in try memory(syntax, what) },
      advertise: try fields[.advertise].map { syntax throws(TopologyError) in try advertise(syntax, what) })
  }

  private func address(_ syntax: JSONSyntax, _ what: String) throws(TopologyError) -> NodeAddress {
    let text = try string(syntax, "\(what): \"address\"")
    if text == "local" { return .local }
    guard let parts = NodeAddress.split(text), parts.port != nil else {
      throw error(
        syntax,
        "\(what): \"address\" is \(quoted(text)); it must be \"local\" or HOST:PORT with a port of 1 to 65535, "
          + "IPv6 as [ADDRESS]:PORT")
    }
    return .remote(text)
  }

  private func advertise(_ syntax: JSONSyntax, _ what: String) throws(TopologyError) -> String {
    let text = try string(syntax, "\(what): \"advertise\"")
    guard NodeAddress.split(text) != nil else {
      throw error(
        syntax, "\(what): \"advertise\" is \(quoted(text)); it must be HOST or HOST:PORT, IPv6 as [ADDRESS]:PORT")
    }
    return text
  }

  private func memory(_ syntax: JSONSyntax, _ what: String) throws(TopologyError) -> Located<Int> {
    let text = try string(syntax, "\(what): \"memory\"")
    guard let bytes = ByteCountText.parse(text), bytes > 0 else {
      throw error(
        syntax,
        "\(what): \"memory\" is \(quoted(text)); write a number and a unit, as \"512MB\", \"1.5GB\" or \"2GiB\"")
    }
    return Located(bytes, at: syntax.position)
  }
}

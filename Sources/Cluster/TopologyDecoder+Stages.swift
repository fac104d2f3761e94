import Tensors

extension TopologyDecoder {
  /// `[ { "layers": "0-2", "host": "reef", "experts": { "reef": "0-3", "cove": "4-15" } }, ... ]`
  func stages(_ syntax: JSONSyntax, nodes: [TopologyNode]) throws(TopologyError) -> [TopologyStage] {
    if case .string("auto") = syntax.value {
      throw error(
        syntax, "\"stages\": \"auto\" is for a planner that does not exist yet; list the stages with layers and host")
    }
    guard case .array(let elements) = syntax.value else {
      throw error(syntax, "\"stages\" must be a list, not \(syntax.kind)")
    }
    guard !elements.isEmpty else { throw error(syntax, "\"stages\" is empty; every layer must be in a stage") }
    let names = nodes.map { $0.name.value.rawValue }
    let known = Set(names)
    var stages: [TopologyStage] = []
    for (index, element) in elements.enumerated() {
      stages.append(try stage(element, "stage \(index)", known: known, names: names))
    }
    return stages
  }

  private func stage(
    _ syntax: JSONSyntax, _ what: String, known: Set<String>, names: [String]
  ) throws(TopologyError) -> TopologyStage {
    let fields = try TopologyFields<TopologyStageKey>(syntax, what: what, file: file)
    let layers = try layers(try fields.required(.layers), what)
    let hostSyntax = try fields.required(.host)
    let host = try string(hostSyntax, "\(what): \"host\"")
    try require(host, at: hostSyntax.position, "\(what): host", known: known, names: names)
    var experts: Located<[TopologyShare]>?
    if let syntax = fields[.experts] {
      experts = Located(try shares(syntax, what, known: known, names: names), at: syntax.position)
    }
    return TopologyStage(
      position: syntax.position, layers: layers, host: Located(NodeID(host), at: hostSyntax.position),
      experts: experts)
  }

  private func layers(_ syntax: JSONSyntax, _ what: String) throws(TopologyError) -> Located<Range<LayerIndex>> {
    let text = try string(syntax, "\(what): \"layers\"")
    do throws(IndexListText.Problem) {
      let range = try IndexListText.range(text)
      return Located(LayerIndex(range.lowerBound)..<LayerIndex(range.upperBound), at: syntax.position)
    } catch {
      throw self.error(syntax, "\(what): \"layers\": \(error.message)")
    }
  }

  private func shares(
    _ syntax: JSONSyntax, _ what: String, known: Set<String>, names: [String]
  ) throws(TopologyError) -> [TopologyShare] {
    guard case .object(let members) = syntax.value else {
      throw error(syntax, "\(what): \"experts\" must be an object of nodes and their experts, not \(syntax.kind)")
    }
    guard !members.isEmpty else {
      throw error(syntax, "\(what): \"experts\" names no node; leave the key out to put all of them on the host")
    }
    var shares: [TopologyShare] = []
    for member in members {
      try require(member.name, at: member.position, "\(what): node", known: known, names: names)
      let text = try string(member.value, "\(what): the experts of \(quoted(member.name))")
      do throws(IndexListText.Problem) {
        shares.append(
          TopologyShare(
            node: Located(NodeID(member.name), at: member.position),
            experts: Located(ExpertSet(ranges: try IndexListText.ranges(text)), at: member.value.position)))
      } catch {
        throw self.error(member.value, "\(what): the experts of \(quoted(member.name)): \(error.message)")
      }
    }
    return shares
  }

  private func require(
    _ name: String, at position: SourcePosition, _ what: String, known: Set<String>, names: [String]
  ) throws(TopologyError) {
    guard known.contains(name) else {
      throw error(at: position, "\(what) \(quoted(name)) is not in \"nodes\"; there are \(Self.list(names))")
    }
  }
}

/// A cluster as plain text, for `shoal topology show`: its stages with a map of who holds which experts, and a table
/// of its nodes. At most 100 columns wide, for two nodes as for hundreds.
public struct TopologyDrawing: Sendable {
  /// Widest line.
  public static let width = 100
  /// Most nodes of a stage that get a line of their own; more are listed side by side.
  private static let holdingLinesMax = 24
  /// Most characters of the map of a stage's experts.
  private static let mapWidth = 48
  private static let nameWidth = 24

  private let report: TopologyReport
  /// The drawing; lines end with a line feed.
  public let text: String

  /// Draws a report.
  public init(_ report: TopologyReport) {
    self.report = report
    var lines = Self.heading(report)
    lines.append("")
    for index in report.stages.indices { lines += Self.stage(index, of: report) }
    lines.append("")
    lines += Self.nodes(report)
    text = lines.map { TextTable.trimmed(TextTable.cut($0, to: Self.width)) + "\n" }.joined()
  }

  // MARK: - Heading

  private static func heading(_ report: TopologyReport) -> [String] {
    let name = report.model.split(separator: "/").last.map(String.init) ?? report.model
    return [
      "\(name): \(count(report.layerCount, "layer")) in \(count(report.stages.count, "stage")) "
        + "on \(count(report.nodes.count, "node"))",
      "context \(report.context), \(count(report.sequences, "sequence")), KV cache \(report.kv), "
        + "combine \(report.combine)",
    ]
  }

  private static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  // MARK: - Stages

  private static func stage(_ index: Int, of report: TopologyReport) -> [String] {
    let stage = report.stages[index]
    let layers = (stage.layers.contains("-") ? "layers " : "layer ") + stage.layers
    var lines = [
      "stage \(index)  \(layers)  host \(TextTable.cut(stage.host, to: nameWidth))  \(experts(of: stage))"
    ]
    if let twin = report.stages[..<index].firstIndex(where: { $0.holdings == stage.holdings }), !stage.holdings.isEmpty
    {
      lines.append("|   held as in stage \(twin)")
    } else if stage.holdings.count <= holdingLinesMax {
      lines += stage.holdings.map { "|   " + line(of: $0, stage) }
    } else {
      lines += flow(stage).map { "|   " + $0 }
    }
    let isLast = index == report.stages.count - 1
    return lines + [isLast ? "v   next token" : "|"]
  }

  private static func experts(of stage: TopologyReport.Stage) -> String {
    let layerCount = stage.layers.split(separator: "-").compactMap { Int($0) }
    let all = (layerCount.last ?? 0) - (layerCount.first ?? 0) + 1
    switch stage.expertLayerCount {
    case 0: return "no routed experts"
    case all: return "\(stage.expertCount) experts a layer"
    default: return "\(stage.expertCount) experts in each of \(count(stage.expertLayerCount, "layer"))"
    }
  }

  /// `cove     ....######......  4-9`
  private static func line(of holding: TopologyReport.Holding, _ stage: TopologyReport.Stage) -> String {
    let names = stage.holdings.map { $0.node.count }.max() ?? 0
    let name = TextTable.pad(TextTable.cut(holding.node, to: nameWidth), to: min(names, nameWidth))
    let line = "\(name)  \(map(of: holding, stage.expertCount))  "
    return line + TextTable.cut("\(holding.experts)", to: width - 4 - line.count)
  }

  /// One character an expert, or for a few neighbours when there are too many for that.
  private static func map(of holding: TopologyReport.Holding, _ expertCount: Int) -> String {
    let step = mapStep(expertCount)
    return stride(from: 0, to: expertCount, by: step).map { first in
      let cell = ExpertSet(ranges: [first..<min(first + step, expertCount)])
      let held = holding.experts.intersection(cell)
      if held.isEmpty { return "." }
      return held.subtracting(holding.replicas).isEmpty ? "=" : "#"
    }.joined()
  }

  /// Experts behind one character of a map.
  private static func mapStep(_ expertCount: Int) -> Int { max(1, (expertCount + mapWidth - 1) / mapWidth) }

  /// `node experts` cells in as many columns as fit.
  private static func flow(_ stage: TopologyReport.Stage) -> [String] {
    let cells = stage.holdings.map { holding in
      TextTable.cut(holding.node, to: nameWidth) + " " + TextTable.cut("\(holding.experts)", to: nameWidth)
        + (holding.replicas.isEmpty ? "" : "=")
    }
    let cellWidth = (cells.map(\.count).max() ?? 0) + 2
    let perLine = max(1, (width - 4) / cellWidth)
    return stride(from: 0, to: cells.count, by: perLine).map { first in
      cells[first..<min(first + perLine, cells.count)].map { TextTable.pad($0, to: cellWidth) }.joined()
    }
  }

  // MARK: - Nodes

  private static func nodes(_ report: TopologyReport) -> [String] {
    let hasBytes = report.nodes.contains { $0.totalBytes != nil }
    let hasLimits = report.nodes.contains { $0.memoryBytes != nil }
    var columns = [
      TextTable.Column(heading: "node", mayShrink: true), TextTable.Column(heading: "address", mayShrink: true),
      TextTable.Column(heading: "hosts stage", mayShrink: true),
      TextTable.Column(heading: "experts", isRightAligned: true),
    ]
    if hasBytes {
      columns += ["weights", "KV cache", "scratch", "total"].map { TextTable.Column(heading: $0, isRightAligned: true) }
    }
    if hasLimits { columns.append(TextTable.Column(heading: "memory", isRightAligned: true)) }
    var table = TextTable(columns)
    for node in report.nodes {
      var row = [node.name, node.address, hosting(node), node.expertCount == 0 ? "-" : "\(node.expertCount)"]
      if hasBytes { row += [node.weightBytes, node.keyValueBytes, node.scratchBytes, node.totalBytes].map(bytes) }
      if hasLimits { row.append(bytes(node.memoryBytes)) }
      table.rows.append(row)
    }
    return table.lines(width: width) + [""] + legend(report, hasBytes: hasBytes)
  }

  private static func hosting(_ node: TopologyReport.Node) -> String {
    if node.hostOf.isEmpty { return node.expertCount == 0 ? "spare" : "-" }
    return "\(ExpertSet(ranges: node.hostOf.map { $0..<$0 + 1 }))"
  }

  private static func bytes(_ bytes: Int?) -> String {
    bytes.map { $0 == 0 ? "-" : ByteCountText.describe($0) } ?? "-"
  }

  private static func legend(_ report: TopologyReport, hasBytes: Bool) -> [String] {
    let isMapped = { (stage: TopologyReport.Stage) in 1...holdingLinesMax ~= stage.holdings.count }
    let hasReplicas = report.stages.contains { $0.holdings.contains { !$0.replicas.isEmpty } }
    var signs: [String] = []
    if report.stages.contains(where: isMapped) { signs.append("# held here") }
    if hasReplicas { signs.append("= held here and elsewhere (replicas)") }
    if report.stages.contains(where: isMapped) { signs.append(". held elsewhere") }
    let step = report.stages.filter(isMapped).map { mapStep($0.expertCount) }.max() ?? 1
    if step > 1 { signs.append("up to \(step) experts a sign") }
    var lines = signs.isEmpty ? [] : [signs.joined(separator: "   ")]
    if hasBytes { lines.append("experts are counted over all layers; scratch is an estimate") }
    return lines
  }
}

import Cluster
import Foundation

extension BenchReport {
  /// Lines for people: the speeds, what bounds them, and where the time goes.
  var text: String {
    let place =
      settings.nodes == 1 && settings.stages == 1
      ? "one node"
      : "\(settings.nodes) nodes, "
        + "\(settings.stages) \(settings.stages == 1 ? "stage" : "stages")"
    var rows = [
      ("model", "\(settings.model), \(Self.bytes(Double(weightBytesPerToken))) of weights read per token"),
      (
        "run",
        "\(place), \(settings.threads) \(settings.threads == 1 ? "thread" : "threads") here, \(settings.kernels), "
          + "kv \(settings.kv), context \(settings.context); \(settings.repetitions) "
          + "\(settings.repetitions == 1 ? "repetition" : "repetitions") after one to warm up"
      ),
      ("prefill", "\(Self.speed(prefill)), \(settings.promptTokens) tokens"),
    ]
    if let decode { rows.append(("decode", "\(Self.speed(decode)), \(settings.tokens) tokens")) }
    if settings.sequences > 1 { rows.append(("", "of \(settings.sequences) sequences side by side, in all")) }
    if let readBandwidth {
      let share = readBandwidthShare.map { "; decode reaches \(Self.decimal(100 * $0, 1)) %" } ?? ""
      rows.append(("memory reads", "\(Self.decimal(readBandwidth / 1e9, 1)) GB/s on this machine\(share)"))
    }
    for (name, phase) in [("prompt token", prefill), ("decoded token", decode)] {
      guard let phase else { continue }
      rows.append(
        (
          "wire per \(name)",
          "\(Self.bytes(phase.wireBytesPerToken)), \(Self.decimal(phase.roundTripsPerToken, 2)) round trips"
        ))
    }
    if nodes.count > 1 { rows.append(("computing", computingText)) }
    rows.append(("most memory", memoryText))
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { Self.padded($0, width) + "  " + $1 + "\n" }.joined() + "\n" + times
  }

  private var computingText: String {
    nodes.map { node in
      "\(node.name) " + (node.computingShare.map { "\(Self.decimal(100 * $0, 0)) %" } ?? "not known")
    }.joined(separator: ", ") + " of the time"
  }

  private var memoryText: String {
    let own = peakMemoryBytes > 0 ? ByteCountText.describe(peakMemoryBytes) : "not known"
    let others = nodes.compactMap { node in node.peakMemoryBytes.map { "\(node.name) \(ByteCountText.describe($0))" } }
    return others.isEmpty ? own : "coordinator \(own), " + others.joined(separator: ", ")
  }

  /// A table of milliseconds: a line for each part, a column for each phase, of all nodes and of each one.
  private var times: String {
    var columns = [("prefill", prefill.secondsPerToken)]
    if let decode { columns.append(("decode", decode.secondsPerToken)) }
    if nodes.count > 1 {
      for node in nodes {
        columns.append(("prefill \(node.name)", node.prefillSecondsPerToken))
        if let decode = node.decodeSecondsPerToken { columns.append(("decode \(node.name)", decode)) }
      }
    }
    var lines = [["ms per token"] + columns.map(\.0)]
    for (index, part) in prefill.secondsPerToken.parts.enumerated() {
      lines.append([part.name] + columns.map { Self.decimal(1000 * $0.1.parts[index].seconds, 3) })
    }
    let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { line in
      line.indices.map { column in
        let blanks = String(repeating: " ", count: widths[column] - line[column].count)
        return column == 0 ? line[column] + blanks : blanks + line[column]
      }.joined(separator: "  ") + "\n"
    }.joined()
  }

  private static func speed(_ phase: Phase) -> String {
    let speed = phase.tokensPerSecond
    return "\(decimal(speed.median, 1)) tokens/s (\(decimal(speed.min, 1)) to \(decimal(speed.max, 1)))"
  }

  /// In decimal units, as bandwidths are given.
  private static func bytes(_ count: Double) -> String {
    switch count {
    case ..<1e3: "\(decimal(count, 0)) B"
    case ..<1e6: "\(decimal(count / 1e3, 1)) kB"
    case ..<1e9: "\(decimal(count / 1e6, 1)) MB"
    default: "\(decimal(count / 1e9, 2)) GB"
    }
  }

  private static func decimal(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}

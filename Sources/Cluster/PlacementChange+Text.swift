import ModelSpec
import Tensors

extension PlacementChange {
  /// Pieces that a node takes from the same place.
  struct GainGroup: Sendable, Hashable {
    let origin: PieceOrigin
    var pieces: [PieceID]
    var bytes: Int
  }

  /// A few lines for people, each ended by a line feed: what each node takes, from where at best, and gives up; which
  /// layers change their host; how many bytes move at most.
  /// - Parameter waves: the changes of the waves that lead there, in order; of several each is written out under
  ///   its number.
  public func text(waves: [PlacementChange] = []) -> String {
    guard !isEmpty else { return "nothing moves\n" }
    var lines: [String] = []
    if waves.count > 1 {
      for (index, wave) in waves.enumerated() {
        lines.append("wave \(index + 1) of \(waves.count)")
        lines += wave.lines.map { "  " + $0 }
      }
    } else {
      lines = self.lines
    }
    lines.append(
      gainedBytes == 0
        ? "no weights move"
        : "at most \(ByteCountText.describe(gainedBytes)) of weights move; "
          + "what a worker has in its store or in a GGUF file of its own does not")
    return lines.map { $0 + "\n" }.joined()
  }

  private var lines: [String] {
    var lines: [String] = []
    if !isFirst {
      lines += added.map { "\($0): joins the cluster" }
      lines += removed.map { "\($0): leaves the cluster" }
    }
    lines += nodes.map { "\($0.name): " + Self.changes(of: $0).joined(separator: ", ") }
    lines += hostMoves.map(line)
    return lines
  }

  private static func changes(of node: NodeChange) -> [String] {
    var changes = groups(of: node).map { group in
      let origin =
        switch group.origin {
        case .nodes(let names):
          names.prefix(4).map(\.rawValue).joined(separator: " or ") + (names.count > 4 ? " or others" : "")
        case .coordinator: "the coordinator"
        }
      return "+\(PieceListText.describe(group.pieces)) (\(ByteCountText.describe(group.bytes)), from \(origin))"
    }
    if !node.givenUp.isEmpty { changes.append("-\(PieceListText.describe(node.givenUp))") }
    return changes
  }

  /// The pieces that a node takes, together by where they can come from.
  static func groups(of node: NodeChange) -> [GainGroup] {
    var groups: [GainGroup] = []
    var positions: [PieceOrigin: Int] = [:]
    for gain in node.gains {
      if let index = positions[gain.origin] {
        groups[index].pieces.append(gain.piece)
        groups[index].bytes = sum(groups[index].bytes, gain.bytes)
      } else {
        positions[gain.origin] = groups.count
        groups.append(GainGroup(origin: gain.origin, pieces: [gain.piece], bytes: gain.bytes))
      }
    }
    return groups
  }

  /// `stage 1 (layers 3-5): host cove -> sound (KV cache moves or is rebuilt)`
  private func line(_ move: HostMove) -> String {
    let layers = PieceListText.layers(move.layers)
    let what = stages.firstIndex(of: move.layers).map { "stage \($0) (\(layers))" } ?? layers
    guard let from = move.from else { return "\(what): host \(move.to)" }
    return "\(what): host \(from) -> \(move.to) (KV cache moves or is rebuilt)"
  }
}

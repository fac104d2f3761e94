import ModelSpec
import Tensors

/// Pieces of weights in few words: `embedding, trunk of layers 0-2, experts 4-7 of layers 3-5`.
enum PieceListText {
  /// More groups of layers than these with the same experts are counted, not listed.
  private static let groupCountMax = 6

  /// - Parameter pieces: in any order, each once.
  static func describe(_ pieces: some Sequence<PieceID>) -> String {
    var (hasHeader, hasEmbedding, hasOutput) = (false, false, false)
    var trunks: [Range<Int>] = []
    var experts: [LayerIndex: [ExpertIndex]] = [:]
    for piece in pieces {
      switch piece {
      case .header: hasHeader = true
      case .embedding: hasEmbedding = true
      case .output: hasOutput = true
      case .trunk(let layer): trunks.append(layer.rawValue..<layer.rawValue + 1)
      case .expert(let layer, let expert): experts[layer, default: []].append(expert)
      }
    }
    var parts: [String] = []
    if hasHeader { parts.append("header") }
    if hasEmbedding { parts.append("embedding") }
    if !trunks.isEmpty { parts.append("trunk of \(layers(ExpertSet(ranges: trunks)))") }
    parts += groups(experts.mapValues { ExpertSet($0) })
    if hasOutput { parts.append("output") }
    return parts.joined(separator: ", ")
  }

  /// `layer 3` or `layers 0-2,5`; sets of layers are written as those of experts.
  static func layers(_ layers: ExpertSet) -> String { "\(layers.count == 1 ? "layer" : "layers") \(layers)" }

  /// `layer 3` or `layers 0-2`.
  static func layers(_ range: Range<LayerIndex>) -> String {
    layers(ExpertSet(ranges: [range.lowerBound.rawValue..<range.upperBound.rawValue]))
  }

  /// `expert 3` or `experts 0-2,5`.
  static func experts(_ set: ExpertSet) -> String { "\(set.count == 1 ? "expert" : "experts") \(set)" }

  private static func groups(_ experts: [LayerIndex: ExpertSet]) -> [String] {
    var order: [ExpertSet] = []
    var ranges: [ExpertSet: [Range<Int>]] = [:]
    for layer in experts.keys.sorted() {
      guard let set = experts[layer] else { continue }
      if ranges[set] == nil { order.append(set) }
      ranges[set, default: []].append(layer.rawValue..<layer.rawValue + 1)
    }
    guard order.count <= groupCountMax else {
      let all = ExpertSet(ranges: ranges.values.flatMap(\.self))
      return ["\(experts.values.reduce(0) { $0 + $1.count }) experts of \(layers(all))"]
    }
    return order.map { "\(Self.experts($0)) of \(layers(ExpertSet(ranges: ranges[$0] ?? [])))" }
  }
}

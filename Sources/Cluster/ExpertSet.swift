public import Tensors

/// A set of routed experts, kept as sorted ranges that neither touch nor overlap; written `"0-3,9"`.
public struct ExpertSet: Sendable, Hashable, CustomStringConvertible {
  /// Half-open, ascending, with gaps between them.
  public let ranges: [Range<Int>]

  /// No expert.
  public static let empty = ExpertSet(ranges: [Range<Int>]())

  /// Any ranges in any order; they are sorted and merged.
  public init(ranges: [Range<Int>]) {
    var merged: [Range<Int>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged
  }

  /// Reads ranges and lists as a topology writes them: `"3"`, `"0-3,9"`, in any order, overlapping or not, with spaces
  /// and tabs wherever one likes. Nil for anything else, also for no experts at all.
  public init?(parsing text: String) {
    guard let ranges = try? IndexListText.ranges(text) else { return nil }
    self.init(ranges: ranges)
  }

  /// All experts of a layer with `count` experts.
  public init(all count: Int) { self.init(ranges: [0..<count]) }

  /// Experts in any order, named once or more.
  public init(_ experts: some Sequence<ExpertIndex>) {
    self.init(ranges: experts.map { $0.rawValue..<$0.rawValue + 1 })
  }

  /// Experts in the set.
  public var count: Int { ranges.reduce(0) { $0 + $1.count } }
  /// Whether there is no expert in the set.
  public var isEmpty: Bool { ranges.isEmpty }
  /// Members in ascending order.
  public var members: [ExpertIndex] { ranges.flatMap { $0.map { ExpertIndex($0) } } }

  /// The lowest member.
  public var first: ExpertIndex? { ranges.first.map { ExpertIndex($0.lowerBound) } }

  /// Whether an expert is in the set.
  public func contains(_ expert: ExpertIndex) -> Bool {
    ranges.contains { $0.contains(expert.rawValue) }
  }

  /// The experts that are in this set or in the other.
  public func union(_ other: ExpertSet) -> ExpertSet { ExpertSet(ranges: ranges + other.ranges) }

  /// The experts of this set that are not in the other.
  public func subtracting(_ other: ExpertSet) -> ExpertSet {
    var left: [Range<Int>] = []
    var holes = other.ranges[...]
    for range in ranges {
      var low = range.lowerBound
      while let hole = holes.first, hole.lowerBound < range.upperBound {
        if hole.lowerBound > low { left.append(low..<hole.lowerBound) }
        low = max(low, hole.upperBound)
        // A hole that reaches beyond this range may cut the next one too.
        if hole.upperBound >= range.upperBound { break }
        holes.removeFirst()
      }
      if low < range.upperBound { left.append(low..<range.upperBound) }
    }
    return ExpertSet(ranges: left)
  }

  /// The experts that are in both sets.
  public func intersection(_ other: ExpertSet) -> ExpertSet { subtracting(subtracting(other)) }

  /// `"0-3,9"`; empty for the empty set.
  public var description: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
      .joined(separator: ",")
  }
}

/// Coded as its text.
extension ExpertSet: Codable {
  /// Reads the text; an empty one is the empty set.
  /// - Throws: `DecodingError` when it is not ranges and lists.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let set = text.isEmpty ? .empty : ExpertSet(parsing: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(quoted(text)) is not a set of experts")
    }
    self = set
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

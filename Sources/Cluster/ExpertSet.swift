public import Tensors

/// A set of routed experts, kept as sorted ranges that neither touch nor overlap; written `"0-3,9"`.
public struct ExpertSet: Sendable, Hashable, CustomStringConvertible {
  /// Half-open, ascending, with gaps between them.
  public let ranges: [Range<Int>]

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

  /// All experts of a layer with `count` experts.
  public init(all count: Int) { self.init(ranges: [0..<count]) }

  public init(_ experts: some Sequence<ExpertIndex>) {
    self.init(ranges: experts.map { $0.rawValue..<$0.rawValue + 1 })
  }

  public var count: Int { ranges.reduce(0) { $0 + $1.count } }
  public var isEmpty: Bool { ranges.isEmpty }
  /// Members in ascending order.
  public var members: [ExpertIndex] { ranges.flatMap { $0.map { ExpertIndex($0) } } }

  public func contains(_ expert: ExpertIndex) -> Bool {
    ranges.contains { $0.contains(expert.rawValue) }
  }

  public func union(_ other: ExpertSet) -> ExpertSet { ExpertSet(ranges: ranges + other.ranges) }

  /// `"0-3,9"`; empty for the empty set.
  public var description: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound - 1)" }
      .joined(separator: ",")
  }
}

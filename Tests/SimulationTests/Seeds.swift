import Foundation

/// Seeds of the property tests: as many as a test says, or those that `SHOAL_SIMULATION_SEEDS` names: a number, or
/// `from-to`.
enum Seeds {
  static func upTo(_ count: UInt64) -> ClosedRange<UInt64> {
    let parts = (ProcessInfo.processInfo.environment["SHOAL_SIMULATION_SEEDS"] ?? "").split(separator: "-")
      .compactMap { UInt64($0) }
    switch parts.count {
    case 1: return 1...max(1, parts[0])
    case 2: return parts[0]...max(parts[0], parts[1])
    default: return 1...count
    }
  }
}

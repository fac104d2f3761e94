/// Counts what the KV cache of every host holds, so that no host is asked for more than it has.
///
/// A sequence reserves all it may need when it becomes active, so an active sequence never waits for memory. What it
/// held comes back in two moves: `retire` when it ends, `reclaim` when every host is known to have freed it. After the
/// hosts have got less memory the free numbers may be below zero until what was taken away is reclaimed.
struct KVBlockAccount: Sendable, Hashable {
  private(set) var slotsFree: Int
  private(set) var blocksFree: Int

  init(slots: Int, blocks: Int) {
    slotsFree = slots
    blocksFree = blocks
  }

  /// Takes one slot and `blocks` blocks, if they are there or among `returning`.
  mutating func reserve(blocks: Int, returning: Reservation) -> Bool {
    guard slotsFree + returning.slots >= 1, blocksFree + returning.blocks >= blocks else { return false }
    slotsFree -= 1
    blocksFree -= blocks
    return true
  }

  mutating func reclaim(_ reservation: Reservation) {
    slotsFree += reservation.slots
    blocksFree += reservation.blocks
  }

  /// Adds slots and blocks that the hosts have more, or takes away what they have less.
  mutating func grow(slots: Int, blocks: Int) {
    slotsFree += slots
    blocksFree += blocks
  }

  /// Slots and blocks of ended sequences.
  struct Reservation: Sendable, Hashable {
    var slots = 0
    var blocks = 0

    mutating func add(_ other: Reservation) {
      slots += other.slots
      blocks += other.blocks
    }
  }
}

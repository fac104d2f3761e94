import Tensors
import Testing

@Suite struct WeightArenaTests {
  @Test("slots are aligned, do not overlap, and leave nothing behind in whatever order they are released")
  func reuse() throws {
    let arena = WeightArena()
    for order in 0..<4 {
      var slots = try (0..<200).map { try arena.allocate(byteCount: 1000 + 17_001 * $0) }
      #expect(slots.allSatisfy { UInt(bitPattern: $0.base) % 64 == 0 })
      let sorted = slots.sorted { $0.base < $1.base }
      #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0.base + $0.byteCount <= $1.base })
      for (index, slot) in slots.enumerated() { slot.base.storeBytes(of: UInt8(index), as: UInt8.self) }
      #expect(slots.indices.allSatisfy { slots[$0].base.load(as: UInt8.self) == UInt8($0) })
      switch order {
      case 0: break
      case 1: slots.reverse()
      case 2: slots.sort { $0.byteCount % 977 < $1.byteCount % 977 }
      default:
        slots = stride(from: 0, to: 200, by: 2).map { slots[$0] } + stride(from: 1, to: 200, by: 2).map { slots[$0] }
      }
      for slot in slots { arena.release(slot) }
      #expect(arena.bytesInUse == 0)
    }
  }

  @Test("a hole is filled again before new memory is taken")
  func holes() throws {
    let arena = WeightArena()
    let slots = try (0..<8).map { _ in try arena.allocate(byteCount: 1 << 20) }
    arena.release(slots[3])
    arena.release(slots[4])
    let again = try arena.allocate(byteCount: 2 << 20)
    #expect(again.base == slots[3].base)
  }

  @Test("a slot beyond the limit is refused with the sizes, and the arena stays usable")
  func limit() throws {
    let arena = WeightArena(limit: 1 << 20)
    let first = try arena.allocate(byteCount: 900_000)
    #expect(throws: ArenaError.self) { try arena.allocate(byteCount: 200_000) }
    arena.release(first)
    _ = try arena.allocate(byteCount: 1_000_000)
  }

  @Test("a slot larger than a chunk begins at a 2 MB page")
  func large() throws {
    let arena = WeightArena()
    let slot = try arena.allocate(byteCount: 70 << 20)
    slot.base.storeBytes(of: 7, toByteOffset: (70 << 20) - 1, as: UInt8.self)
    #expect(UInt(bitPattern: slot.base) % (2 << 20) == 0)
    arena.release(slot)
    #expect(arena.bytesInUse == 0)
  }
}

import Tensors
import Testing

@Suite struct WeightArenaTests {
  @Test("released small slots merge and are zero when taken again")
  func reuse() throws {
    let arena = WeightArena()
    let slots = try (0..<100).map { try arena.allocate(byteCount: 1000 + $0) }
    for slot in slots { slot.base.storeBytes(of: 0xff, as: UInt8.self) }
    #expect(slots.allSatisfy { UInt(bitPattern: $0.base) % 64 == 0 })
    for slot in slots.reversed() { arena.release(slot) }
    #expect(arena.bytesInUse == 0)
    let again = try arena.allocate(byteCount: 1 << 20)
    #expect(again.base.load(as: UInt8.self) == 0)
  }

  @Test("a slot beyond the limit is refused with the sizes, and the arena stays usable")
  func limit() throws {
    let arena = WeightArena(limit: 1 << 20)
    let first = try arena.allocate(byteCount: 900_000)
    #expect(throws: ArenaError.self) { try arena.allocate(byteCount: 200_000) }
    arena.release(first)
    _ = try arena.allocate(byteCount: 1_000_000)
  }

  @Test("large slots have mappings of their own")
  func large() throws {
    let arena = WeightArena()
    let slot = try arena.allocate(byteCount: 5 << 20)
    slot.base.storeBytes(of: 7, toByteOffset: (5 << 20) - 1, as: UInt8.self)
    #expect(UInt(bitPattern: slot.base) % (2 << 20) == 0)
    arena.release(slot)
    #expect(arena.bytesInUse == 0)
  }
}

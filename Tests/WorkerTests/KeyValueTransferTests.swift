import Tensors
import Testing
import Wire

@testable import Worker

@Suite struct KeyValueTransferTests {
  private let moves = [
    KeyValueMove(layers: 0..<1, source: 0, target: 2), KeyValueMove(layers: 1..<2, source: 1, target: 2),
    KeyValueMove(layers: 4..<5, source: 1, target: 2),
  ]

  @Test("all is there when each host has sent as much as it says")
  func whole() {
    var imports = KeyValueImports(moves)
    #expect(imports.awaited == [0: 0, 1: 0] && !imports.isDone)
    for _ in 0..<3 { imports.came(from: 1) }
    imports.ended(0, slabCount: 0)
    #expect(!imports.isDone && !imports.isIncomplete)
    imports.ended(1, slabCount: 3)
    #expect(imports.isDone && !imports.isIncomplete)
  }

  @Test("a slab too few or too many is a loss", arguments: [2, 4])
  func count(slabs: Int) {
    var imports = KeyValueImports(moves)
    for _ in 0..<3 { imports.came(from: 1) }
    imports.ended(1, slabCount: slabs)
    #expect(imports.isDone && imports.isIncomplete)
  }

  @Test("a host that is gone is a loss while it is awaited, and none when it had sent all; strangers do not count")
  func failures() {
    var imports = KeyValueImports(moves)
    imports.came(from: 7)
    imports.failed(7)
    imports.ended(7, slabCount: 1)
    imports.ended(0, slabCount: 0)
    imports.failed(0)
    #expect(!imports.isDone && imports.awaited == [1: 0])
    imports.failed(1)
    #expect(imports.isDone && imports.isIncomplete)
  }
}

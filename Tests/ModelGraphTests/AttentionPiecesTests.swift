import Tensors
import Testing

@testable import ModelGraph

@Suite struct AttentionPiecesTests {
  @Test("every query is in exactly one piece, and no piece is larger than its scratch memory")
  func cover() {
    for (keyHeads, group) in [(1, 1), (4, 8), (1, 128), (8, 5), (32, 1), (2, 40), (1, 33), (3, 7), (1, 64)] {
      for rows in [1, 2, 7, 32, 33, 100] {
        for threads in [1, 2, 3, 16, 128] {
          let pieces = AttentionPieces(rows: rows, keyHeads: keyHeads, group: group, threads: threads)
          var seen = [Int](repeating: 0, count: rows * keyHeads * group)
          for piece in (0..<pieces.count).map({ pieces[$0] }) {
            #expect(!piece.rows.isEmpty && !piece.heads.isEmpty)
            #expect(piece.rows.count * piece.heads.count <= AttentionPieces.queryLimit)
            #expect(piece.heads.allSatisfy { $0 / group == piece.keyHead })
            for row in piece.rows { for head in piece.heads { seen[row * keyHeads * group + head] += 1 } }
          }
          #expect(seen.allSatisfy { $0 == 1 }, "\(rows) rows, \(keyHeads) of \(group), \(threads) threads")
        }
      }
    }
  }

  @Test("long prompts go in full pieces, single rows are divided as far as there are threads")
  func sizes() {
    let prefill = AttentionPieces(rows: 512, keyHeads: 4, group: 8, threads: 2)
    #expect(prefill.rowsTogether == 4 && prefill.headsTogether == 8 && prefill.count == 512)
    #expect(prefill[127] == .init(rows: 508..<512, keyHead: 0, heads: 0..<8))
    #expect(prefill[129] == .init(rows: 4..<8, keyHead: 1, heads: 8..<16))
    let decode = AttentionPieces(rows: 1, keyHeads: 4, group: 8, threads: 2)
    #expect(decode.headsTogether == 8 && decode.count == 4)
    #expect(AttentionPieces(rows: 1, keyHeads: 4, group: 8, threads: 4).headsTogether == 4)
    let latent = AttentionPieces(rows: 1, keyHeads: 1, group: 128, threads: 1)
    #expect(latent.headsTogether == 32 && latent.count == 4)
    #expect(AttentionPieces(rows: 1, keyHeads: 1, group: 128, threads: 8).count == 16)
    #expect(AttentionPieces(rows: 40, keyHeads: 2, group: 1, threads: 2).rowsTogether == 32)
  }

  @Test("rows see of each tile what their positions and the window say")
  func visibleSlots() {
    for window in [1, 3, 63, 64, 65, 200, Int.max] {
      for position in [0, 1, 62, 63, 64, 65, 127, 128, 300] {
        var isFirst = true
        for tile in stride(from: 0, to: 384, by: KVType.blockPositions) {
          let seen = VisibleSlots(tile: tile, position: position, window: window)
          let expected = (0..<64).filter { tile + $0 <= position && position - tile - $0 < window }
          #expect(Array(seen.slots) == expected, "\(window) \(position) \(tile)")
          guard !expected.isEmpty else { continue }
          #expect(seen.isFirst == isFirst, "\(window) \(position) \(tile)")
          isFirst = false
        }
        #expect(!isFirst)
      }
    }
  }
}

/// How the attention of a pass is cut for the threads: each piece is some neighbouring rows and some of the query heads
/// that share a key head, all of which go through the cache together. The bits do not depend on it.
struct AttentionPieces: Sendable {
  /// Most queries (rows times heads) of a piece: enough to find keys and values in the cache, few enough that the
  /// queries stay there as well.
  static let queryLimit = 32
  /// Fewest heads of a piece, for which the cache is not yet read too often.
  private static let headMinimum = 4

  let rowCount: Int
  /// Query heads of a key head.
  let group: Int
  /// Most rows of a piece.
  let rowsTogether: Int
  /// Most query heads of a piece.
  let headsTogether: Int
  /// Pieces altogether.
  let count: Int
  private let rowParts: Int
  private let headParts: Int

  /// Whether some of the threads that it was made for find no piece.
  let leavesThreadsIdle: Bool

  /// - Parameter threads: that should all have something to do.
  init(rows: Int, keyHeads: Int, group: Int, threads: Int) {
    func parts(_ count: Int, _ size: Int) -> Int { (count + size - 1) / size }
    var heads = parts(group, parts(group, Self.queryLimit))
    var together = max(1, Self.queryLimit / heads)
    let wanted = threads == 1 ? 1 : 2 * threads
    while together > 1, keyHeads * parts(rows, together) * parts(group, heads) < wanted { together /= 2 }
    while heads > Self.headMinimum, keyHeads * rows * parts(group, heads) < wanted {
      heads = max(Self.headMinimum, parts(heads, 2))
    }
    rowCount = rows
    self.group = group
    rowsTogether = together
    headsTogether = heads
    rowParts = parts(rows, together)
    headParts = parts(group, heads)
    count = keyHeads * rowParts * headParts
    leavesThreadsIdle = count < wanted
  }

  /// Pieces of one row and as many heads as fit.
  init(singleRows rows: Int, keyHeads: Int, group: Int) {
    rowCount = rows
    self.group = group
    rowsTogether = 1
    let parts = (group + Self.queryLimit - 1) / Self.queryLimit
    headsTogether = (group + parts - 1) / parts
    rowParts = rows
    headParts = (group + headsTogether - 1) / headsTogether
    count = keyHeads * rows * headParts
    leavesThreadsIdle = false
  }

  /// A piece: its rows, and its query heads among all of the model.
  struct Piece: Equatable {
    let rows: Range<Int>
    let keyHead: Int
    let heads: Range<Int>
  }

  /// Neighbouring pieces use the same key head.
  subscript(index: Int) -> Piece {
    let (part, headPart) = index.quotientAndRemainder(dividingBy: headParts)
    let (keyHead, rowPart) = part.quotientAndRemainder(dividingBy: rowParts)
    let firstHead = headPart * headsTogether
    let row = rowPart * rowsTogether
    return Piece(
      rows: row..<min(row + rowsTogether, rowCount), keyHead: keyHead,
      heads: keyHead * group + firstHead..<keyHead * group + min(firstHead + headsTogether, group))
  }
}

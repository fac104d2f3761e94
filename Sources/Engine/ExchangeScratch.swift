import ModelGraph
import ModelSpec
import Tensors

/// Memory for dividing the choices of one exchange among nodes; each use overwrites the one before.
final class ExchangeScratch {
  let nodeCount: Int
  let ownNode: Int
  /// The node chosen for each choice, `[choices]`.
  let nodes: UnsafeMutablePointer<Int32>
  /// One node's part: `[rows]`, `[rows + 1]`, `[choices]`, `[choices]`, `[rows]`.
  let exponents: UnsafeMutablePointer<Int32>
  let firstChoice: UnsafeMutablePointer<Int32>
  let experts: UnsafeMutablePointer<Int32>
  let weights: UnsafeMutablePointer<Float>
  let sourceRows: UnsafeMutablePointer<Int32>
  /// Choices that fell on each node, `[nodeCount]`.
  let choicesOfNode: UnsafeMutablePointer<Int32>
  /// The part that each node is sent, `[nodeCount]`; -1 for none.
  let partOfNode: UnsafeMutablePointer<Int32>
  /// Some of the choices of an exchange, one behind the other: their experts and their nodes, `[choices]`.
  let someExperts: UnsafeMutablePointer<Int32>
  let someNodes: UnsafeMutablePointer<Int32>
  /// The last row that chose each expert, `[expertCount]`.
  let lastRowOfExpert: UnsafeMutablePointer<Int32>
  private let buffers: [AlignedBuffer]

  init(_ model: Hyperparameters, rowCapacity: Int, nodeCount: Int, ownNode: Int) {
    self.nodeCount = nodeCount
    self.ownNode = ownNode
    let choices = rowCapacity * model.expertsPerToken
    buffers = [
      choices, rowCapacity, rowCapacity + 1, choices, choices, rowCapacity, nodeCount, model.expertCount, nodeCount,
      choices, choices,
    ].map { AlignedBuffer(byteCount: 4 * $0) }
    let integers = buffers.map { $0.base.assumingMemoryBound(to: Int32.self) }
    nodes = integers[0]
    exponents = integers[1]
    firstChoice = integers[2]
    experts = integers[3]
    weights = buffers[4].floats
    sourceRows = integers[5]
    choicesOfNode = integers[6]
    lastRowOfExpert = integers[7]
    partOfNode = integers[8]
    someExperts = integers[9]
    someNodes = integers[10]
  }

  /// Counts how many choices fell on each node; no node has a part yet.
  func countChoices(_ rows: RoutedRows) {
    choicesOfNode.update(repeating: 0, count: nodeCount)
    partOfNode.update(repeating: -1, count: nodeCount)
    for choice in 0..<rows.choiceCount where nodes[choice] >= 0 { choicesOfNode[Int(nodes[choice])] += 1 }
  }

  /// Puts the nodes of some choices, as they stand in `someNodes`, in their places among all; the others get -1, none.
  /// - Parameter part: the number that marks, in `partOfChoice`, the choices that are meant.
  /// - Returns: false when a node is none that may be chosen.
  func scatter(_ part: Int, _ partOfChoice: UnsafePointer<Int32>, of rows: RoutedRows, except node: Int) -> Bool {
    var place = 0
    for choice in 0..<rows.choiceCount {
      nodes[choice] = -1
      guard partOfChoice[choice] == part else { continue }
      let chosen = Int(someNodes[place])
      guard (0..<nodeCount).contains(chosen), chosen != node else { return false }
      nodes[choice] = someNodes[place]
      place += 1
    }
    countChoices(rows)
    return true
  }

  /// Puts the experts of a part's choices one behind the other into `someExperts`.
  /// - Returns: how many they are.
  func gather(_ part: Int, _ partOfChoice: UnsafePointer<Int32>, of rows: RoutedRows) -> Int {
    var count = 0
    for choice in 0..<rows.choiceCount where partOfChoice[choice] == part {
      someExperts[count] = rows.experts[choice]
      count += 1
    }
    return count
  }

  /// The part of an exchange that falls on a node: only rows with choices there.
  func part(of rows: RoutedRows, for node: Int) -> RoutedRows {
    var rowCount = 0
    var choiceCount = 0
    for row in 0..<rows.rowCount {
      let before = choiceCount
      for choice in Int(rows.firstChoice[row])..<Int(rows.firstChoice[row + 1]) where nodes[choice] == node {
        experts[choiceCount] = rows.experts[choice]
        weights[choiceCount] = rows.weights[choice]
        choiceCount += 1
      }
      guard choiceCount > before else { continue }
      exponents[rowCount] = rows.exponents[row]
      firstChoice[rowCount] = Int32(before)
      sourceRows[rowCount] = Int32(row)
      rowCount += 1
    }
    firstChoice[rowCount] = Int32(choiceCount)
    return RoutedRows(
      layer: rows.layer, rowCount: rowCount, exponents: exponents, firstChoice: firstChoice, experts: experts,
      weights: weights, activations: rows.activations, sourceRows: sourceRows)
  }
}

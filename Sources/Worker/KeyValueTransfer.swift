import Cluster
import Engine
import Tensors
import Wire

/// Keys and values on their way out: the engine of the placement before, and where its layers go.
struct KeyValueExports {
  let engine: Engine
  let moves: [KeyValueMove]
}

/// Keys and values on their way in: from whom they are awaited, and how much has come.
struct KeyValueImports {
  /// Slabs that have come from each host that has not finished.
  private(set) var awaited: [NodeIndex: Int] = [:]
  /// Whether something was lost on the way.
  private(set) var isIncomplete = false

  init(_ moves: [KeyValueMove]) {
    for move in moves { awaited[move.source] = 0 }
  }

  var isDone: Bool { awaited.isEmpty || isIncomplete }

  mutating func came(from node: NodeIndex) { awaited[node]? += 1 }

  /// A host has sent all it has.
  mutating func ended(_ node: NodeIndex, slabCount: Int) {
    guard let came = awaited.removeValue(forKey: node) else { return }
    if came != slabCount { isIncomplete = true }
  }

  /// A host is gone, or sent what does not fit.
  mutating func failed(_ node: NodeIndex) {
    if awaited[node] != nil { isIncomplete = true }
  }
}

import Coordinator
import Synchronization
import Tensors
import Wire

/// Shows on standard error how a cluster comes up: a progress bar while weights travel, and what goes wrong.
enum StatusPrinter {
  private static let loading = Mutex<[NodeID: Progress]>([:])

  /// - Parameter isShown: whether losses are worth a line.
  static func print(_ status: CoordinatorStatus, isShown: Bool = false) {
    switch status {
    case .progress(let node, let progress): show(node, progress)
    case .ready: Console.clearProgress()
    case .note(let text): Console.error("shoal: \(text)")
    case .lost(let node, let reason) where isShown: Console.error("shoal: \(node) is lost: \(reason)")
    case .waiting(let reason) where isShown: Console.error("shoal: \(reason)")
    default: break
    }
  }

  private static func show(_ node: NodeID, _ progress: Progress) {
    let (done, total, moved) = loading.withLock { nodes in
      nodes[node] = progress
      return (
        nodes.values.reduce(0) { $0 + $1.bytesDone }, nodes.values.reduce(0) { $0 + $1.bytesTotal },
        nodes.values.reduce(0) { $0 + $1.bytesMoved }
      )
    }
    Console.progress(moved > 0 ? "sending weights" : "loading weights", done: done, total: total)
  }
}

import Coordinator
import Tensors

/// Tells on standard error what a coordinator does: nodes that come and go, edits, switches.
enum ServicePrinter {
  static func print(_ status: CoordinatorStatus) {
    StatusPrinter.print(status)
    if let line = line(status) { Console.error("shoal serve: \(line)") }
  }

  private static func line(_ status: CoordinatorStatus) -> String? {
    switch status {
    case .joined(let node, _): return "\(node) has joined"
    case .lost(let node, let reason): return "\(node) is lost: \(reason)"
    case .dismissed(let node): return "\(node) is let go"
    case .ready(let nodes, let stages): return "ready (\(nodes) nodes, \(stages) stages)"
    case .edited: return "the topology was edited; preparing"
    case .refused(let reason): return "the edit is refused: \(reason)"
    case .waiting(let reason): return reason
    case .switched(let epoch, let pause, let bytes, let keeps):
      let milliseconds = Double(pause.components.seconds) * 1e3 + Double(pause.components.attoseconds) * 1e-15
      let tenths = Int((milliseconds * 10).rounded())
      return "placement \(epoch) is running after a pause of \(tenths / 10).\(tenths % 10) ms, \(bytes) bytes of "
        + "weights moved, keys and values \(keeps ? "kept" : "to be computed again")"
    case .reaching, .progress, .prepared, .note, .failed: return nil
    }
  }
}

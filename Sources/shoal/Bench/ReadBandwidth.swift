import Kernels
import Synchronization
import Tensors

/// How fast this machine reads memory that no cache holds.
enum ReadBandwidth {
  /// Far more than caches hold.
  private static let bytes = 1 << 30
  private static let passes = 10
  /// What a thread reads at a time; threads take pieces as they get to them, so that a busy core delays nobody.
  private static let pieceBytes = 1 << 20

  /// Reads 1 GiB in 2 MB pages with a number of threads, ten times.
  /// - Returns: bytes a second of the best pass.
  /// - Throws: `ArenaError` when there is no memory for it, `KernelError` never on a machine that runs this build.
  static func measure(threads: Int) throws -> Double {
    let arena = WeightArena()
    let slot = try arena.allocate(byteCount: bytes)
    defer { arena.release(slot) }
    let team = ThreadTeam(threads: threads)
    let kernels = try Kernels.select()
    let pieces = bytes / pieceBytes
    // Memory that was never written is one page of zeros.
    team.parallelFor(count: pieces, grain: 1) { range, _ in
      for piece in range {
        (slot.base + piece * pieceBytes).initializeMemory(as: UInt64.self, repeating: 1, count: pieceBytes / 8)
      }
    }
    var best = Duration.seconds(3600)
    for _ in 0..<passes {
      let sum = Atomic<UInt64>(0)
      let start = ContinuousClock.now
      team.parallelFor(count: pieces, grain: 1) { range, _ in
        for piece in range {
          sum.wrappingAdd(
            kernels.sumWords(slot.base + piece * pieceBytes, byteCount: pieceBytes), ordering: .relaxed)
        }
      }
      best = min(best, ContinuousClock.now - start)
      precondition(sum.load(ordering: .relaxed) == UInt64(bytes / 8), "a pass has not read everything")
    }
    return Double(bytes) / (Double(best.components.seconds) + Double(best.components.attoseconds) * 1e-18)
  }
}

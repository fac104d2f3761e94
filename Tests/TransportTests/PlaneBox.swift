import Synchronization
import Transport

/// Holds a plane for a sink that is made before it.
final class PlaneBox: Sendable {
  private final class Weak: Sendable {
    let plane: InProcessControlPlane
    init(_ plane: InProcessControlPlane) { self.plane = plane }
  }
  private let stored = Mutex<Weak?>(nil)

  var plane: InProcessControlPlane? { stored.withLock { $0?.plane } }
  func set(_ plane: InProcessControlPlane) { stored.withLock { $0 = Weak(plane) } }
}

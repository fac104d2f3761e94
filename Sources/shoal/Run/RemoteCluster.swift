import Coordinator
import Logging
import Transport

/// A coordinator that somebody else runs.
enum RemoteCluster {
  static func start(_ address: HostPort) throws -> RunningCluster {
    let handle = CoordinatorClient.Handle()
    let plane = TCPControlPlane(logger: .shoal, pulse: nil, sink: handle.controlSink)
    let thread = try PlatformThread {
      CoordinatorClient(handle: handle, plane: plane, address: address, software: Shoal.release).run()
    }
    return RunningCluster(submitter: handle) {
      handle.stop()
      thread.join()
    }
  }
}

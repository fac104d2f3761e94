import ArgumentParser
import Coordinator
import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Brings up whatever the options ask for: a coordinator elsewhere, one process, or a topology's nodes.
enum ClusterStarter {
  /// - Parameter coordinator: a coordinator that runs already; then no option about how to run may be given.
  static func start(_ options: ClusterOptions, coordinator: String? = nil) throws -> RunningCluster {
    if let coordinator {
      guard options.givenNames.isEmpty else {
        throw ValidationError(
          "\(options.givenNames.joined(separator: ", ")) cannot be used with --coordinator: that coordinator decides it"
        )
      }
      return try RemoteCluster.start(HostPort(option: "--coordinator", coordinator))
    }
    return try start(ClusterPlan(options), options)
  }

  /// - Parameter readsInPlace: whether local nodes read the model's file themselves, so that its weights are neither sent
  ///   to them nor copied into the shard store.
  static func start(_ plan: ClusterPlan, _ options: ClusterOptions, readsInPlace: Bool = false) throws -> RunningCluster
  {
    let kernels = options.kernels ?? .auto
    guard let topology = plan.topology else {
      return try InProcessCluster.start(plan, kernels: kernels, threads: options.threads ?? MachineCores.count)
    }
    let file = readsInPlace ? try options.modelPath() : nil
    return try TopologyCluster.start(plan, topology, options, modelFile: file) {
      StatusPrinter.print($0, isShown: true)
    }
  }
}

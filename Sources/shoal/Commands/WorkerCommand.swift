import ArgumentParser
import Cluster
import Kernels
import Logging
import ShardStore
import Tensors
import Transport
import Wire
import Worker

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A worker on a spare box.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker", abstract: "Wait for a coordinator and hold the layers and experts it sends.")

  @Option(help: "Where to listen: HOST:PORT; port 0 takes any free one.")
  var listen = "127.0.0.1:7070"
  @Option(help: "The name this worker goes by until a coordinator names it.")
  var name: String?
  @Option(help: "Compute threads (default: one for each physical performance core).")
  var threads: Int?
  @Option(help: "Most memory for weights, KV cache and scratch, such as 8GB.")
  var memory: String?
  @Option(help: "A folder with GGUF files, or such a file, whose weights need not be sent; may be given several times.")
  var models: [String] = []
  @Option(help: "Kernels: auto, scalar, avx2, avxvnni, avx512 or neon.")
  var kernels: KernelChoice = .auto
  @Option(help: "The shard store (default $XDG_CACHE_HOME/shoal).")
  var store: String?
  @Option(help: "Most bytes the shard store may take, such as 100GB; what was used least recently makes room.")
  var storeBudget: String?
  @Flag(help: "Allow connections from other machines, which nothing encrypts or authenticates yet.")
  var insecure = false
  @Flag(help: .hidden)
  var parentPipe = false

  func validate() throws {
    if let threads { guard (1...1024).contains(threads) else { throw ValidationError("--threads must be 1 to 1024") } }
    if let memory { try ByteCountOption.check("--memory", memory) }
    if let storeBudget { try ByteCountOption.check("--store-budget", storeBudget) }
  }

  func run() throws {
    try withExitStatus {
      let address = try HostPort(option: "--listen", listen)
      try Loopback.require(address, of: "this worker", insecure: insecure)
      signal(SIGPIPE, SIG_IGN)
      let weights = WeightConnection()
      let configuration = WorkerConfiguration(
        name: NodeID(name ?? "worker"), kernels: try kernels.select(),
        threads: threads ?? MachineCores.count, memoryLimit: memory.flatMap(ByteCountText.parse),
        machineMemory: Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))),
        store: StoreOpener.open(store, budget: storeBudget.flatMap(ByteCountText.parse)), modelFolders: models,
        weights: weights, software: Shoal.release)
      try serve(configuration, weights, address)
    }
  }

  private func serve(_ configuration: WorkerConfiguration, _ weights: WeightConnection, _ address: HostPort) throws {
    let logger = Logger.shoal
    let data = TCPDataPlane()
    let waker = data.waker
    let mailbox = Mailbox<WorkerEvent>(capacity: 1 << 16) { waker.wake() }
    let control = TCPControlPlane(logger: logger, pulse: configuration.pulse) { mailbox.post(.control($0)) }
    let pieces = PieceServer(
      logger: logger, isWelcome: { [shelf = configuration.shelf] in shelf.welcomes($0) }, read: reader(configuration))
    var configuration = configuration
    configuration.pieceCounters = { pieces.counters }
    configuration.peakMemory = { ProcessMemory.peakBytes }
    let acceptor = try Acceptor(
      listen: address, logger: logger,
      handlers: [
        .control: { control.adopt($0, remote: $1) }, .data: data.adopt, .weights: weights.adopt,
        .pieces: pieces.adopt,
      ])
    defer {
      acceptor.stop()
      pieces.stop()
    }
    try SignalWatch.start { _ in mailbox.post(.stop) }
    if parentPipe { try ParentPipe.watch() }
    try announce(acceptor.address)
    let arena = WeightArena(limit: configuration.memoryLimit ?? .max)
    WorkerShell(
      configuration: configuration, control: control, data: data, loader: loader(configuration, weights, arena),
      arena: arena, mailbox: mailbox, logger: logger
    ).run()
  }

  /// Store first, then local model files, then other workers, then the coordinator.
  private func loader(
    _ configuration: WorkerConfiguration, _ weights: WeightConnection, _ arena: WeightArena
  ) -> ShareLoader {
    let warning: @Sendable (String) -> Void = { Console.error("shoal: \($0)") }
    let folders = configuration.modelFolders.map { ModelFolder(directory: $0, warning: warning) }
    let store = configuration.store
    return ShareLoader(
      arena: arena, kernels: configuration.kernels, store: store, threads: configuration.threads,
      sources: { request in
        var sources: [any PieceSource] = []
        if let store { sources.append(StoreSource(store)) }
        sources += folders.map { ModelFolderSource($0, headerDigest: request.header.digest) }
        if let peers = request.peers, !peers.holders.isEmpty { sources.append(PeerSource(peers)) }
        return sources + [CoordinatorSource(weights)]
      }, warning: warning)
  }

  /// Gives other workers what this one has in memory.
  private func reader(_ configuration: WorkerConfiguration) -> PieceServer.Reader {
    { [shelf = configuration.shelf] _, piece, digest, offset, target in
      guard shelf.read(digest, offset: offset, into: target) else {
        throw InputError(.unavailable, "the \(piece) is not here any more")
      }
    }
  }

  /// A parent reads the address from standard output; for people it stands on standard error.
  private func announce(_ address: HostPort) throws {
    if parentPipe {
      try Console.write("listening on \(address)\n")
    } else {
      Console.error("shoal worker: listening on \(address)")
    }
  }
}

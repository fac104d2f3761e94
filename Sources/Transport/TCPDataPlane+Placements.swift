import Cluster
import Tensors
import Wire

/// Which connections the running placement and a coming one ask for.
extension TCPDataPlane {
  public func configure(_ configuration: DataPlaneConfiguration) {
    take(configuration.identity)
    self.configuration = configuration
    let now = ContinuousClock.now
    slots = Array(repeating: nil, count: (configuration.peers.map(\.index.rawValue).max() ?? -1) + 1)
    for connection in connections.values {
      connection.index = nil
      connection.loss = nil
      connection.isWanted = false
    }
    for peer in configuration.peers where peer.id != configuration.node {
      let connection = connection(to: peer, of: configuration.node, now)
      connection.index = peer.index
      slots[peer.index.rawValue] = connection
      // Whoever waits to be dialled waits a little longer than the dialer tries.
      connection.deadline = now + DataLimits.connectTimeout + (connection.dials ? .zero : .seconds(2))
      connection.begin(now)
    }
    forgetUnneeded()
    dropOldStrangers()
    // A peer that waited among the strangers may have replaced its older connection just now: that was another
    // placement's loss, as is everything else that was to be said.
    for connection in connections.values where connection.isOpen { connection.loss = nil }
    announcements = connections.values.filter { $0.isConfigured && $0.isOpen }.map { .connected($0.id) }
    for connection in connections.values where connection.index != nil {
      if let loss = connection.loss { announcements.append(.lost(connection.id, loss)) }
    }
    settle()
  }

  public func reach(_ peers: [DataPeer], as identity: DataIdentity) {
    take(identity)
    let now = ContinuousClock.now
    for connection in connections.values { connection.isWanted = false }
    for peer in peers where peer.id != identity.node {
      let connection = connection(to: peer, of: identity.node, now)
      connection.isWanted = true
      connection.reportTime = now + DataLimits.reachTimeout
      connection.begin(now)
    }
    forgetUnneeded()
    dropOldStrangers()
    announcements.removeAll { announcement in
      switch announcement {
      case .reached, .unreachable: true
      case .connected, .lost: false
      }
    }
    announcements += connections.values.filter { $0.isWanted && $0.isOpen }.map { .reached($0.id) }
    settle()
  }

  /// Greets as this worker from now on. Connections are another worker's when its name or its cluster is another.
  private func take(_ identity: DataIdentity) {
    let previous = self.identity
    self.identity = identity
    if previous?.cluster != identity.cluster || previous?.node != identity.node {
      for connection in connections.values { connection.endSocket() }
      connections = [:]
      slots = []
      announcements = []
      configuration = nil
    } else if previous?.term != identity.term {
      restartGreetings()
    }
    mustRewatch = true
    hasUnsettled = true
  }

  /// A hello of another term would never be answered.
  private func restartGreetings() {
    for connection in connections.values {
      guard case .greeting = connection.phase else { continue }
      connection.endSocket()
      connection.phase = .waiting(until: ContinuousClock.now)
    }
  }

  /// The connection to a peer that is asked for: the one there is, or a new one that nobody makes yet.
  private func connection(to peer: DataPeer, of node: NodeID, _ now: ContinuousClock.Instant) -> DataConnection {
    guard let known = connections[peer.id] else {
      let connection = DataConnection(peer, dials: node < peer.id, now: now)
      connections[peer.id] = connection
      return connection
    }
    if known.dials, known.address != peer.address {
      if known.isOpen, known.isConfigured {
        let error = TransportError(.closed, "\(known.name) has moved to \(peer.address)")
        markLost(known, error)
      }
      known.endSocket()
      known.phase = .idle
      known.resolved = []
      known.failure = nil
    }
    known.address = peer.address
    return known
  }

  /// Connections that work are kept for a later placement, others that nobody asks for are forgotten.
  private func forgetUnneeded() {
    for (id, connection) in connections where !connection.isNeeded && !connection.isOpen {
      connection.endSocket()
      connection.phase = .idle
      if connection.index == nil { connections[id] = nil }
    }
  }
}

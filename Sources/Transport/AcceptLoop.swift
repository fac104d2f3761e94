#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Logging
import Wire

/// What the acceptor's thread does: wait for connections and their first 8 bytes.
struct AcceptLoop: Sendable {
  let listener: Int32
  let waker: PipeWaker
  let logger: Logger
  let handlers: [ConnectionPlane: SocketHandler]

  /// A connection that has not been handed over.
  private struct Fresh {
    let descriptor: Int32
    let remote: String
    var deadline: ContinuousClock.Instant
    var preface: [UInt8] = []
    /// Refused: what still comes is thrown away, so that the answer is not lost with a reset.
    var isRefused = false
  }

  /// Runs until the waker wakes.
  func run() {
    var fresh: [Fresh] = []
    defer {
      for connection in fresh { close(connection.descriptor) }
      close(listener)
    }
    while !waker.isWoken {
      let canAccept = fresh.count < Acceptor.pendingLimit
      var descriptors = [pollfd(fd: waker.readEnd, events: Int16(POLLIN), revents: 0)]
      descriptors.append(pollfd(fd: canAccept ? listener : -1, events: Int16(POLLIN), revents: 0))
      for connection in fresh {
        descriptors.append(pollfd(fd: connection.descriptor, events: Int16(POLLIN), revents: 0))
      }
      let nearest = fresh.map(\.deadline).min()
      poll(&descriptors, nfds_t(descriptors.count), Deadline.milliseconds(until: nearest))
      var kept: [Fresh] = []
      for (index, connection) in fresh.enumerated() {
        var connection = connection
        if descriptors[index + 2].revents == 0 {
          if keepWaiting(&connection) { kept.append(connection) }
        } else if readPreface(&connection) {
          kept.append(connection)
        }
      }
      fresh = kept
      if descriptors[1].revents != 0 { accept(into: &fresh) }
    }
  }

  private func accept(into fresh: inout [Fresh]) {
    while fresh.count < Acceptor.pendingLimit {
      let descriptor = systemAccept(listener)
      guard descriptor >= 0 else {
        let error = SystemError.last
        if !error.wouldBlock, !error.isInterrupt {
          logger.warning("a connection could not be accepted: \(error)")
          // Out of descriptors: the connection stays in the queue and would come up again at once.
          poll(nil, 0, 50)
        }
        return
      }
      SocketOptions.makeNonBlocking(descriptor)
      SocketOptions.tune(descriptor)
      let remote = SocketAddress.name(of: descriptor, isPeer: true)?.description ?? "unknown address"
      fresh.append(
        Fresh(descriptor: descriptor, remote: remote, deadline: ContinuousClock.now + Acceptor.prefaceTimeout))
    }
  }

  /// - Returns: false when the time of the connection is up; it is closed then.
  private func keepWaiting(_ connection: inout Fresh) -> Bool {
    guard Deadline.hasPassed(connection.deadline) else { return true }
    guard connection.isRefused else {
      refuse(&connection, "it sent no preface in time")
      return true
    }
    return end(connection)
  }

  /// - Returns: whether the connection is to be kept here.
  private func readPreface(_ connection: inout Fresh) -> Bool {
    if connection.isRefused { return !Deadline.hasPassed(connection.deadline) ? drain(connection) : end(connection) }
    var bytes = [UInt8](repeating: 0, count: ConnectionPreface.byteCount - connection.preface.count)
    let count = recv(connection.descriptor, &bytes, bytes.count, 0)
    guard count > 0 else {
      if count < 0, SystemError.last.wouldBlock || SystemError.last.isInterrupt { return true }
      logger.debug("\(connection.remote) went away before it said what it wants")
      close(connection.descriptor)
      return false
    }
    connection.preface += bytes[..<count]
    do throws(WireError) {
      return try judge(&connection)
    } catch {
      refuse(&connection, "\(error)")
      return true
    }
  }

  private func judge(_ connection: inout Fresh) throws(WireError) -> Bool {
    let complete = connection.preface.count == ConnectionPreface.byteCount
    // The first four bytes are enough to know a stranger.
    let padded = connection.preface + ConnectionPreface(plane: .control).bytes[connection.preface.count...]
    let preface = try padded.reading { (bytes) throws(WireError) in try ConnectionPreface(bytes) }
    guard complete else { return true }
    guard let handler = handlers[preface.plane] else {
      refuse(&connection, "this process has no \(preface.plane) plane")
      return true
    }
    answer(connection, preface.plane)
    handler(connection.descriptor, connection.remote)
    return false
  }

  /// Answers, says that nothing more will come, and leaves the peer a second to read it.
  private func refuse(_ connection: inout Fresh, _ reason: String) {
    logger.warning("connection from \(connection.remote) refused: \(reason)")
    let plane = connection.preface.count > 6 ? ConnectionPlane(rawValue: connection.preface[6]) : nil
    answer(connection, plane ?? .control)
    shutdown(connection.descriptor, Int32(SHUT_WR))
    connection.isRefused = true
    connection.deadline = ContinuousClock.now + .seconds(1)
  }

  private func answer(_ connection: Fresh, _ plane: ConnectionPlane) {
    let bytes = ConnectionPreface(plane: plane).bytes
    _ = send(connection.descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  private func drain(_ connection: Fresh) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(connection.descriptor, &bytes, bytes.count, 0)
    if count > 0 || (count < 0 && SystemError.last.wouldBlock) { return true }
    return end(connection)
  }

  private func end(_ connection: Fresh) -> Bool {
    close(connection.descriptor)
    return false
  }
}

private func systemAccept(_ listener: Int32) -> Int32 { accept(listener, nil, nil) }

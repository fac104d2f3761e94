import Transport

/// Until connections are encrypted and authenticated, listening beyond this machine must be asked for.
enum Loopback {
  static func contains(_ address: HostPort) -> Bool {
    address.host == "localhost" || address.host == "::1" || address.host.hasPrefix("127.")
  }

  /// - Throws: `InputError` for an address that others can reach, unless `insecure`.
  static func require(_ address: HostPort, insecure: Bool) throws {
    guard insecure || contains(address) else {
      throw InputError(
        .usage,
        "\(address) can be reached from other machines, and connections are neither encrypted nor authenticated yet; "
          + "add --insecure if every machine on that network may be trusted")
    }
  }
}

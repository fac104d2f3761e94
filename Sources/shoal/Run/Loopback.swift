import Transport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Until connections are encrypted and authenticated, listening beyond this machine must be asked for.
enum Loopback {
  static func contains(_ address: HostPort) -> Bool {
    if address.host == "localhost" { return true }
    // Only what is an address in numbers: 127.example.org is anybody's.
    var four = in_addr()
    if inet_pton(AF_INET, address.host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    var six = in6_addr()
    guard inet_pton(AF_INET6, address.host, &six) == 1 else { return false }
    return withUnsafeBytes(of: six) { bytes in bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 } }
  }

  /// - Parameter listener: who is to listen there, as the subject of a sentence.
  /// - Throws: `InputError` for an address that others can reach, unless `insecure`.
  static func require(_ address: HostPort, of listener: String, insecure: Bool) throws {
    guard insecure || contains(address) else {
      throw InputError(
        .usage,
        "\(listener) would listen at \(address), which other machines can reach, and connections are neither encrypted "
          + "nor authenticated yet; add --insecure if every machine on that network may be trusted")
    }
  }
}

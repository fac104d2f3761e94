import Testing
import Transport

@Suite struct HostPortTests {
  @Test("hosts, IPv4 and bracketed IPv6 addresses are read and printed alike")
  func parse() throws {
    for text in ["127.0.0.1:7070", "[::1]:7071", "localhost:0", "box-3.lan:65535"] {
      #expect(try HostPort(parsing: text).description == text)
    }
    #expect(try HostPort(parsing: "[::1]:7071") == HostPort(host: "::1", port: 7071))
  }

  @Test("what is no address is refused with an example")
  func refuse() {
    for text in [
      "", ":", "host", "host:", ":80", "host:65536", "host:-1", "host:+1", "::1:80", "[::1:80", "[]:80", "a b:1",
    ] {
      let error = #expect(throws: TransportError.self, "\(text)") { try HostPort(parsing: text) }
      #expect(error?.code == .badAddress && error?.message.contains("HOST:PORT") == true)
    }
  }
}

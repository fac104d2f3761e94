import Foundation
import Testing

extension CommandLineTests {
  @Suite("three hosts", .enabled(if: Lab.hasNamespaces, "network namespaces need root, ip and tc"))
  struct LabTests {
    @Test("cables that are cut, healed and slowed to 1 Mbit/s cost no job and change no token")
    func cables() throws {
      let known = try KnownJobs(5)
      let lab = try Lab(hosts: 3)
      try lab.serve(["--stages", "2", "--context", "1024", "--sequences", "4"])
      func begin() throws -> [UInt64] {
        let before = try lab.tokenCount()
        let ids = try known.submit { arguments in
          try #require(UInt64(lab.run(["shoal", "submit"] + arguments).dropLast()))
        }
        try lab.waitUntil("tokens") { try lab.tokenCount() > before }
        return ids
      }
      func check(_ ids: [UInt64]) throws {
        for (id, tokens) in zip(ids, known.tokens) {
          let text = try lab.run(["shoal", "attach", "\(id)", "--json"])
          #expect(try Answer.all(Data(text.utf8)).first?.tokens == tokens, "job \(id)")
        }
      }
      try lab.waitUntil("all run") { try lab.show().state == "running" }
      let wished = try lab.show().placement

      for host in ["host1", "host3"] {
        let ids = try begin()
        try lab.run(["cut", host])
        try lab.waitUntil("\(host) is missed, and the others go on") {
          let shown = try lab.show()
          return shown.nodes[host]?.connected == false && shown.placement?.nodes.contains(host) == false
        }
        try lab.run(["heal", host])
        try lab.waitUntil("\(host) is back") {
          let shown = try lab.show()
          return shown.state == "running" && shown.placement == wished
        }
        try check(ids)
      }

      let parted = try begin()
      try lab.run(["cut", "host1", "host2"])
      let epoch = try lab.show().epoch
      try lab.waitUntil("the two need not talk") { try lab.show().epoch > epoch }
      let count = try lab.tokenCount()
      try lab.waitUntil("tokens come") { try lab.tokenCount() > count || lab.jobs().allSatisfy { $0.state == "done" } }
      try lab.run(["heal", "host1", "host2"])
      try check(parted)

      let slowed = try begin()
      try lab.run(["slow", "host2", "1mbit"])
      let slow = try lab.tokenCount()
      try lab.waitUntil("tokens come slowly") { try lab.tokenCount() > slow + 40 }
      #expect(try lab.show().nodes.values.allSatisfy(\.connected))
      try lab.run(["fast", "host2"])
      try check(slowed)
    }
  }
}

import Foundation
import GGUF
import ModelSpec
import Tensors
import Testing
import Wire

extension CommandLineTests {
  @Suite("weights")
  struct WeightsTests {
    private func weightBytes(_ model: URL, cache: URL) throws -> Int {
      var topology = TopologyText.three
      topology.model = model.path
      let file = try topology.write("weights.json")
      let process = try RunningShoal(
        ["generate", "--topology", file, "--tokens", "1,2,3", "--max-tokens", "2", "--json"],
        environment: ["XDG_CACHE_HOME": cache.path])
      return try process.answers()[0].wire.weightBytes
    }

    @Test("a second start moves nothing; after one byte of one expert was changed, that piece moves")
    func changedByte() throws {
      let cache = try Workshop.folder("weights-cache")
      #expect(try weightBytes(Workshop.model, cache: cache) > 12_000_000)
      #expect(try weightBytes(Workshop.model, cache: cache) == 0)

      let spec = try ModelSpec(file: GGUFFile.open(Workshop.model.path))
      // Held by one node.
      let piece = PieceID.expert(5, 15)
      let layout = try #require(spec.layout(of: piece))
      let part = try #require(layout.parts.first)
      var bytes = try Data(contentsOf: Workshop.model)
      bytes[part.range.offset + 100] ^= 1
      let changed = try Workshop.file("changed.gguf", bytes)
      let moved = try weightBytes(changed, cache: cache)
      // Two frames for each 256 KiB that were asked for.
      let frames = 2 * (layout.byteCount / (256 << 10) + 1)
      #expect(moved > layout.byteCount)
      #expect(moved <= layout.byteCount + frames * 100)
      #expect(try weightBytes(changed, cache: cache) == 0)
      #expect(try weightBytes(Workshop.model, cache: cache) == 0)
    }

    @Test("workers get what they lack from one coordinator after the other, strangers or not")
    func severalCoordinators() throws {
      let cache = try Workshop.folder("several-cache")
      let workers = try (0..<2).map { index in
        try RunningShoal(
          ["worker", "--listen", "127.0.0.1:0", "--threads", "1"],
          environment: ["XDG_CACHE_HOME": cache.appending(path: "\(index)").path])
      }
      let addresses = try workers.map { try $0.waitForAddress() }
      for (first, second) in [("0-3", "4-15"), ("0-9", "10-15"), ("0-15", "1-15")] {
        for _ in 0..<2 { try FakePeer.send(addresses[1], HostileFrames.huge(plane: .weights)) }
        let text = TopologyText(["a", "b"], [.init(layers: "0-5", host: "a", experts: ["a": first, "b": second])])
        let file = try text.with(["a": addresses[0], "b": addresses[1]]).write("several.json")
        let answers = try RunningShoal.generate(["--topology", file, "--tokens", "1,2,3", "--max-tokens", "2"])
        #expect(answers[0].wire.weightBytes > 0)
      }
      for worker in workers { worker.send(SIGTERM) }
      for worker in workers { #expect(try worker.finish().status == 0) }
    }

    @Test("workers that find the model in a folder of theirs need nothing sent")
    func modelFolder() throws {
      let cache = try Workshop.folder("folder-cache")
      let models = Workshop.model.deletingLastPathComponent().path
      let workers = try (0..<3).map { index in
        try RunningShoal(
          ["worker", "--listen", "127.0.0.1:0", "--models", models, "--threads", "1"],
          environment: ["XDG_CACHE_HOME": cache.appending(path: "\(index)").path])
      }
      let addresses = try workers.map { try $0.waitForAddress() }
      let file = try TopologyText.three
        .with(["reef": addresses[0], "cove": addresses[1], "sound": addresses[2]]).write("folder.json")
      let answers = try RunningShoal.generate(["--topology", file, "--tokens", "1,2,3", "--max-tokens", "2"])
      #expect(answers[0].wire.weightBytes == 0)
      for worker in workers { worker.send(SIGTERM) }
      for worker in workers { #expect(try worker.finish().status == 0) }
    }
  }
}

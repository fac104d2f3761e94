import GGUF
import ModelSpec
import Tensors
import Testing

@Suite struct ModelInventoryTests {
  @Test("the embedded model's parameters and bytes are those of its tensors")
  func demo() throws {
    let spec = try ModelSpec(file: GGUFFile.open(Fixture.demo))
    let inventory = ModelInventory(spec)
    #expect(inventory.total.bytes == spec.file.tensors.reduce(0) { $0 + $1.byteCount })
    #expect(inventory.total.parameters == spec.file.tensors.reduce(0) { $0 + $1.dimensions.reduce(1, *) })
    // 16 experts of which 2 are chosen, in all layers.
    #expect(inventory.routedExperts.bytes == 8 * inventory.chosenExperts.bytes)
    #expect(inventory.activeParameters == inventory.total.parameters - 14 * inventory.chosenExperts.parameters / 2)
    // The output is the embedding, which is read whole.
    #expect(inventory.bytesPerToken == inventory.total.bytes - 14 * inventory.chosenExperts.bytes / 2)
    #expect(inventory.sharedExperts.bytes == 0)
    #expect(spec.typeCounts.values.reduce(0, +) == spec.file.tensors.count)
  }

  @Test("shared experts are a part of their own; a row of the embedding is read where the output is not tied")
  func shared() throws {
    let spec = try ModelSpec(file: GGUFFile.open(Fixture.path("deepseek3-s/deepseek3-s-Q4_0.gguf")))
    let inventory = ModelInventory(spec)
    let shared = spec.file.tensors.filter { $0.name.contains("_shexp.") }
    #expect(!shared.isEmpty && inventory.sharedExperts.bytes == shared.reduce(0) { $0 + $1.byteCount })
    let routed = spec.file.tensors.filter { $0.name.contains("_exps.") }
    #expect(inventory.routedExperts.bytes == routed.reduce(0) { $0 + $1.byteCount })
    #expect(inventory.total.bytes == spec.file.tensors.reduce(0) { $0 + $1.byteCount })
    let rowBytes = inventory.embedding.bytes / 768
    let rest = inventory.trunk.bytes + inventory.sharedExperts.bytes + inventory.output.bytes
    #expect(inventory.bytesPerToken == rowBytes + rest + inventory.routedExperts.bytes / 4)
    #expect(spec.keyValueBytesOfAllLayers(.f16) == 3 * 2 * 96)
  }

  @Test("a factor vector that every layer's trunk holds is counted once; a dense model has no experts")
  func dense() throws {
    let spec = try ModelSpec(file: GGUFFile.open(Fixture.path("llama-s/llama-s-F16.gguf")))
    let inventory = ModelInventory(spec)
    #expect(inventory.total.parameters == spec.file.tensors.reduce(0) { $0 + $1.dimensions.reduce(1, *) })
    #expect(inventory.activeParameters == inventory.total.parameters && inventory.routedExperts.bytes == 0)
    #expect(spec.typeCounts.values.reduce(0, +) == spec.file.tensors.count)
  }
}

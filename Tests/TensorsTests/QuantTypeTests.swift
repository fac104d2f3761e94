import Tensors
import Testing

@Suite struct QuantTypeTests {
  @Test("row sizes are whole blocks")
  func rowBytes() {
    #expect(QuantType.q4_K.rowBytes(elements: 512) == 288)
    #expect(QuantType.q8_0.rowBytes(elements: 64) == 68)
    #expect(QuantType.q6_K.rowBytes(elements: 128) == nil)
    #expect(QuantType.f32.rowBytes(elements: .max) == nil)
    #expect(QuantType.f32.rowBytes(elements: -1) == nil)
  }

  @Test("names are those of the ecosystem")
  func names() {
    #expect(QuantType.q4_K.name == "Q4_K")
    #expect(QuantType.bf16.name == "BF16")
    #expect(QuantType.iq2_xxs.name == "IQ2_XXS")
    #expect(QuantType.q8_0.name == "Q8_0")
  }

  @Test("activation rows: wire bytes as in the numerics, memory padded to cache lines")
  func activationRows() {
    #expect(ActivationForm.int8x256.wireBytes(elements: 2048) == 2080)
    #expect(ActivationForm.int8x32.wireBytes(elements: 64) == 72)
    #expect(ActivationForm.float32.wireBytes(elements: 64) == 256)
    #expect(ActivationForm.int8x256.rowStride(elements: 256) == 320)
  }
}

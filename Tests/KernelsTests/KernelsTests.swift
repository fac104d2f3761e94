import Kernels
import Testing

@Suite struct KernelsTests {
  @Test("the scalar reference is always there") func scalar() throws {
    #expect(try Kernels.select(.scalar).instructionSet == .scalar)
  }
}

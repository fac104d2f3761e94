import Kernels
import Testing

@Suite struct KernelsTests {
  @Test("the scalar reference is always there, and first")
  func scalar() throws {
    #expect(Kernels.available.first == .scalar)
    #expect(try Kernels.select(.scalar).instructionSet == .scalar)
  }

  @Test("without a request the fastest instruction set is chosen")
  func fastest() throws {
    #expect(try Kernels.select().instructionSet == Kernels.available.last)
    #expect(allKernels.map(\.instructionSet) == Kernels.available)
  }

  @Test("a missing instruction set is refused, naming those the machine has")
  func missing() throws {
    let absent = InstructionSet.allCases.filter { !Kernels.available.contains($0) }
    #expect(!absent.isEmpty)
    for instructionSet in absent {
      let error = try #require(throws: KernelError.self) { try Kernels.select(instructionSet) }
      #expect(error.code == .instructionSetMissing)
      #expect(error.message.contains(instructionSet.rawValue))
      for present in Kernels.available { #expect(error.message.contains(present.rawValue)) }
    }
  }

  @Test("the test numbers are not constant")
  func generator() {
    let values = Distribution.normal.values(1000, seed: 1)
    #expect(Set(values).count > 990)
    #expect(values != Distribution.normal.values(1000, seed: 2))
  }
}

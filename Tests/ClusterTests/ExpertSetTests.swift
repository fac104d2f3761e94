import Foundation
import Tensors
import Testing

@testable import Cluster

@Suite struct ExpertSetTests {
  @Test("a set is sorted and merged, and prints as it is written")
  func canonical() throws {
    let set = try #require(ExpertSet(parsing: "9, 4-5,0-3 ,5-6"))
    #expect(set.description == "0-6,9")
    #expect(set.count == 8 && set.first == 0 && set.contains(9) && !set.contains(7))
    #expect(set == ExpertSet(set.members))
    #expect(ExpertSet.empty.description == "" && ExpertSet.empty.first == nil)
    #expect(ExpertSet(parsing: "") == nil && ExpertSet(parsing: "3-1") == nil)
    #expect(ExpertSet(all: 0).isEmpty)
  }

  @Test("set operations agree with those of the standard library, for random sets")
  func operations() {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<500 {
      let left = Set((0..<Int.random(in: 0...20, using: &random)).map { _ in Int.random(in: 0..<24, using: &random) })
      let right = Set((0..<Int.random(in: 0...20, using: &random)).map { _ in Int.random(in: 0..<24, using: &random) })
      let (one, two) = (expertSet(left), expertSet(right))
      #expect(one.union(two) == expertSet(left.union(right)))
      #expect(one.subtracting(two) == expertSet(left.subtracting(right)), "\(one) without \(two)")
      #expect(one.intersection(two) == expertSet(left.intersection(right)))
      #expect(one.isEmpty || ExpertSet(parsing: one.description) == one)
    }
  }

  @Test("coded as its text")
  func codable() throws {
    let sets = [ExpertSet(ranges: [0..<4, 9..<10]), .empty]
    let json = try JSONEncoder().encode(sets)
    #expect(String(decoding: json, as: UTF8.self) == "[\"0-3,9\",\"\"]")
    #expect(try JSONDecoder().decode([ExpertSet].self, from: json) == sets)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode([ExpertSet].self, from: Data("[\"3-1\"]".utf8)) }
  }

  private func expertSet(_ members: Set<Int>) -> ExpertSet { ExpertSet(members.map { ExpertIndex($0) }) }
}

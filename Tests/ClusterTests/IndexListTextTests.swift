import Testing

@testable import Cluster

@Suite struct IndexListTextTests {
  @Test(
    "ranges and lists, with blanks wherever one likes",
    arguments: [
      ("3", [3..<4]), ("0-2", [0..<3]), ("3-3", [3..<4]), ("0-3,9", [0..<4, 9..<10]),
      (" 0 -\t3 , 9 ", [0..<4, 9..<10]),
      ("9,0-3", [9..<10, 0..<4]), ("007", [7..<8]), ("65535", [65_535..<65_536]),
    ])
  func read(_ text: String, _ ranges: [Range<Int>]) throws {
    #expect(try IndexListText.ranges(text) == ranges)
  }

  @Test(
    "refused with a reason",
    arguments: [
      ("", "missing"), (" ", "missing"), ("1,", "missing"), (",1", "missing"), ("1,,2", "missing"),
      ("-", "not a number"),
      ("1-", "not a number"), ("-1", "not a number"), ("1-2-3", "not a range"), ("5-3", "backwards"),
      ("a", "not a number"),
      ("1.5", "not a number"), ("1 2", "not a number"), ("+1", "not a number"), ("٣", "not a number"),
      ("1\n", "not a number"), ("65536", "too large"), ("0-99999999999999999999", "too large"),
    ])
  func refused(_ text: String, _ reason: String) {
    let problem = #expect(throws: IndexListText.Problem.self) { try IndexListText.ranges(text) }
    #expect(problem?.message.contains(reason) == true, "\(String(describing: problem?.message))")
  }
}

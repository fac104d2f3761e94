import Cluster
import Tensors
import Testing
import Transport
import Wire

@testable import Coordinator

/// A book that can be asked within an expectation.
private final class Book {
  private var book: LoadBook

  init(_ facts: ModelFacts) { book = LoadBook(facts) }

  var nextDeadline: ContinuousClock.Instant? { book.nextDeadline }
  var rowNanoseconds: [NodeID: UInt64] { book.rowNanoseconds }
  func layers(_ facts: ModelFacts) -> [LoadReport.Layer] { book.layers(facts) }
  func answerable(now: ContinuousClock.Instant) -> [LoadBook.Question] { book.answerable(now: now) }
  func take(_ report: ExpertUseReport, from host: NodeID) {
    book.take(report, from: host, known: ["a", "b", "cove", "reef", "sound", "x", "y"])
  }
  /// A report that somebody has asked for.
  func takeAsked(_ report: ExpertUseReport, from host: NodeID) {
    book.ask([host], for: 0, of: LinkID(rawValue: 0), deadline: .now)
    take(report, from: host)
  }
  func ask(_ hosts: Set<NodeID>, for request: UInt64, of link: LinkID, deadline: ContinuousClock.Instant) {
    book.ask(hosts, for: request, of: link, deadline: deadline)
  }
}

@Suite struct LoadBookTests {
  private let facts = ModelFacts(expertCounts: [0, 4], contextLength: 64, outputUsesEmbedding: false)
  private let now = ContinuousClock.now

  private func report(
    _ counts: [UInt64], layer: LayerIndex = 1, speeds: [(NodeID, UInt64)] = []
  ) -> ExpertUseReport {
    ExpertUseReport(
      layers: [ExpertUseReport.Layer(layer: layer, counts: counts)],
      speeds: speeds.map { ExpertUseReport.Speed(node: $0.0, rowNanoseconds: $0.1) })
  }

  @Test("a question is answered when the last host has spoken, or when its time is over; each once")
  func questions() {
    let book = Book(facts)
    book.ask(["a", "b"], for: 1, of: LinkID(rawValue: 7), deadline: now + .seconds(2))
    book.ask([], for: 2, of: LinkID(rawValue: 8), deadline: now + .seconds(2))
    #expect(book.answerable(now: now).map(\.request) == [2])
    book.take(report([1, 0, 0, 0]), from: "a")
    #expect(book.answerable(now: now).isEmpty && book.nextDeadline == now + .seconds(2))
    book.take(report([1, 0, 0, 0]), from: "b")
    #expect(book.answerable(now: now).map(\.link.rawValue) == [7])
    #expect(book.nextDeadline == nil)
    book.ask(["a"], for: 3, of: LinkID(rawValue: 7), deadline: now + .seconds(2))
    #expect(book.answerable(now: now + .seconds(2)).map(\.request) == [3])
  }

  @Test("questions are bounded: the oldest gives way")
  func bounded() {
    let book = Book(facts)
    for request in UInt64(0)..<300 { book.ask(["a"], for: request, of: LinkID(rawValue: 1), deadline: now) }
    let answered = book.answerable(now: now).map(\.request)
    #expect(answered.count == 256 && answered.first == 44)
  }

  @Test("only layers with experts are told, in shares; what does not fit the model is ignored")
  func layers() {
    let book = Book(facts)
    book.takeAsked(report([0, 10, 30, 0]), from: "a")
    book.takeAsked(report([1, 1], layer: 1), from: "a")
    book.takeAsked(report([1, 1, 1, 1], layer: 9), from: "a")
    #expect(book.layers(facts) == [LoadReport.Layer(layer: 1, weights: [0, 0.25, 0.75, 0])])
  }

  @Test("the speed of a node is the mean of what the hosts say last, without overflow")
  func speeds() {
    let book = Book(facts)
    book.takeAsked(report([0, 0, 0, 0], speeds: [("x", 9)]), from: "a")
    book.takeAsked(report([0, 0, 0, 0], speeds: [("x", 1000)]), from: "a")
    book.takeAsked(report([0, 0, 0, 0], speeds: [("x", 3000)]), from: "b")
    #expect(book.rowNanoseconds == ["x": 2000])
    for host in 0..<300 { book.takeAsked(report([], speeds: [("y", 1 << 56)]), from: NodeID("\(host)")) }
    #expect(book.rowNanoseconds["y"] == 1 << 56)
  }
}

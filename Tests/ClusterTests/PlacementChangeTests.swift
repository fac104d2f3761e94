import Foundation
import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct PlacementChangeTests {
  private let sizes = ModelSizes(
    pieceBytes: { piece in
      switch piece {
      case .header: 0
      case .embedding, .output: 5000
      case .trunk: 1000
      case .expert: 100
      }
    }, keyValueBytes: { _ in 7 }, hiddenSize: 2, queryWidth: 3, expertWidth: 5, expertsPerToken: 4, vocabularySize: 100)

  private func placed(_ old: String? = nil, _ new: String = "") throws -> Placement {
    try decode(old.map { try sample($0, new) } ?? sampleText).place(sampleFacts)
  }

  private func change(_ from: Placement?, _ to: Placement) -> PlacementChange {
    PlacementChange(from: from, to: to, facts: sampleFacts, sizes: sizes)
  }

  @Test("nothing changes between equal placements, whatever their epochs")
  func nothing() throws {
    let placement = try placed()
    let change = change(placement, placement.with(epoch: PlacementEpoch(rawValue: 5)))
    #expect(change.isEmpty && change.gainedBytes == 0 && change.text() == "nothing moves\n")
    #expect(PlacementChangeReport(change).isEmpty)
  }

  @Test("experts that move: who takes them, from whom, who gives them up")
  func experts() throws {
    // Experts 4-7 of layers 0-2 go from cove to sound; 8 and 9 stay.
    let to = try placed(
      "\"cove\": \"4-9\", \"sound\": \"10-15\"", "\"cove\": \"8-9\", \"sound\": \"4-7,10-15\"")
    let change = change(try placed(), to)
    #expect(change.nodes.map(\.name) == ["cove", "sound"])
    #expect(change.nodes[0].gains.isEmpty && change.nodes[0].givenUp.count == 12)
    #expect(change.nodes[0].givenUpBytes == 1200)
    #expect(change.nodes[1].gains.count == 12 && change.nodes[1].gainedBytes == 1200)
    #expect(change.nodes[1].gains.allSatisfy { $0.origin == .nodes(["cove"]) && $0.bytes == 100 })
    #expect(change.hostMoves.isEmpty && !change.isEmpty)
    #expect(
      change.expertMoves == [
        PlacementChange.ExpertMove(
          layers: 0..<3, experts: ExpertSet(ranges: [4..<8]), from: ["cove"], to: ["sound"])
      ])
    #expect(
      change.text() == """
        cove: -experts 4-7 of layers 0-2
        sound: +experts 4-7 of layers 0-2 (1.20 kB, from cove)
        at most 1.20 kB of weights move; what a worker has in its store or in a GGUF file of its own does not

        """)
  }

  @Test("a host that moves takes trunk and output along, and the embedding from whoever has it")
  func hosts() throws {
    let change = change(try placed(), try placed("\"host\": \"cove\"", "\"host\": \"sound\""))
    #expect(change.hostMoves == [PlacementChange.HostMove(layers: 3..<6, from: "cove", to: "sound")])
    #expect(change.expertMoves.isEmpty)
    let sound = try #require(change.nodes.last)
    #expect(sound.gains.map(\.piece) == [.embedding, .trunk(3), .trunk(4), .trunk(5), .output])
    #expect(sound.gains[0].origin == .nodes(["reef", "cove"]) && sound.gains[4].origin == .nodes(["cove"]))
    #expect(
      change.text() == """
        cove: -embedding, trunk of layers 3-5, output
        sound: +embedding (5.00 kB, from reef or cove), +trunk of layers 3-5, output (8.00 kB, from cove)
        stage 1 (layers 3-5): host cove -> sound (KV cache moves or is rebuilt)
        at most 13.0 kB of weights move; what a worker has in its store or in a GGUF file of its own does not

        """)
  }

  @Test("replicas that are given up move no bytes")
  func replicas() throws {
    let change = change(try placed(), try placed(", \"sound\": \"4-7\"", ""))
    #expect(
      change.text() == """
        sound: -experts 4-7 of layers 3-5
        no weights move

        """)
    #expect(change.expertMoves.map(\.from) == [["sound"]] && change.expertMoves.map(\.to) == [[]])
  }

  @Test("from nothing everything comes from the coordinator")
  func first() throws {
    let change = change(nil, try placed())
    #expect(change.nodes.map(\.name) == ["reef", "cove", "sound"] && change.removed.isEmpty)
    #expect(change.nodes.allSatisfy { $0.gains.allSatisfy { $0.origin == .coordinator } && $0.givenUp.isEmpty })
    #expect(change.hostMoves.map(\.from) == [nil, nil] && change.hostMoves.map(\.to) == ["reef", "cove"])
    #expect(change.text().contains("stage 0 (layers 0-2): host reef\n"))
    #expect(!change.text().contains("joins"))
  }

  @Test("nodes that come and go are named")
  func membership() throws {
    let from = try placed()
    let to = try #require(
      try placed("\"sound\": \"10-15\"", "\"reef\": \"10-15\"".replacingOccurrences(of: "reef", with: "sound"))
        .renumbered(nodes: ["sound", "bay", "cove", "reef"]))
    let change = change(from, to)
    #expect(change.added == ["bay"] && change.removed.isEmpty && change.nodes.isEmpty && !change.isEmpty)
    #expect(change.text() == "bay: joins the cluster\nno weights move\n")
    #expect(self.change(to, from).text() == "bay: leaves the cluster\nno weights move\n")
  }

  @Test("gains and losses turn one placement into the other, for any two", arguments: 0..<20)
  func anyTwo(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let model = SmallModel(layers: 4, experts: [0, 5, 3])
    let from = model.placement(["a", "b", "c"], using: &random)
    let to = model.placement(["d", "c", "b"], using: &random)
    let change = PlacementChange(from: from, to: to, facts: model.facts, sizes: model.sizes)
    for name: NodeID in ["a", "b", "c", "d"] {
      let node = change.nodes.first { $0.name == name }
      let gained = Set(node?.gains.map(\.piece) ?? [])
      let old = from.pieces(of: name, facts: model.facts)
      let result = old.subtracting(node?.givenUp ?? []).union(gained)
      #expect(result == to.pieces(of: name, facts: model.facts) && gained.isDisjoint(with: old))
    }
    for gain in change.nodes.flatMap(\.gains) {
      // Two whole placements hold every piece, so that some node always has it.
      guard case .nodes(let names) = gain.origin else {
        Issue.record("\(gain.piece) has no holder")
        continue
      }
      #expect(names == from.nodes.filter { from.pieces(of: $0, facts: model.facts).contains(gain.piece) })
    }
    let moved = Set(change.hostMoves.flatMap { Array($0.layers) })
    for layer in model.facts.layers {
      let hosts = [from, to].map { $0.nodes[$0.stages[$0.stage(of: layer) ?? 0].host.rawValue] }
      #expect(moved.contains(layer) == (hosts[0] != hosts[1]))
    }
    #expect(change.text().hasSuffix("\n"))
  }

  @Test("moves are merged only over neighbouring layers")
  func gaps() {
    let model = SmallModel(layers: 3, experts: [2])
    let holder = { (node: NodeIndex) in [ExpertHolding(node: node, experts: ExpertSet(all: 2))] }
    let from = Placement(
      epoch: PlacementEpoch(rawValue: 1), nodes: ["a", "b"],
      stages: [StagePlacement(layers: 0..<3, host: 0, experts: holder(0))])
    let to = Placement(
      epoch: PlacementEpoch(rawValue: 2), nodes: ["a", "b"],
      stages: (0..<3).map { layer in
        let node: NodeIndex = layer == 1 ? 0 : 1
        return StagePlacement(layers: LayerIndex(layer)..<LayerIndex(layer + 1), host: node, experts: holder(node))
      })
    let change = PlacementChange(from: from, to: to, facts: model.facts, sizes: model.sizes)
    #expect(change.hostMoves.map(\.layers) == [0..<1, 2..<3])
    #expect(change.expertMoves.map(\.layers) == [0..<1, 2..<3])
    #expect(change.text().contains("stage 2 (layer 2): host a -> b"))
  }

  @Test("the moves of experts turn the holders of one placement into those of the other", arguments: 0..<20)
  func expertMoves(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let model = SmallModel(layers: 4, experts: [4, 0, 4, 3])
    let from = model.placement(["a", "b", "c"], using: &random)
    let to = model.placement(["d", "c", "b"], using: &random)
    let change = PlacementChange(from: from, to: to, facts: model.facts, sizes: model.sizes)
    func holders(_ piece: PieceID, _ placement: Placement) -> Set<NodeID> {
      Set(placement.nodes.filter { placement.pieces(of: $0, facts: model.facts).contains(piece) })
    }
    for layer in model.facts.layers {
      for expert in ExpertSet(all: model.facts.expertCount(layer)).members {
        let moves = change.expertMoves.filter { $0.layers.contains(layer) && $0.experts.contains(expert) }
        let before = holders(.expert(layer, expert), from)
        #expect(moves.count == (before == holders(.expert(layer, expert), to) ? 0 : 1))
        let after = before.subtracting(moves.flatMap(\.from)).union(moves.flatMap(\.to))
        #expect(after == holders(.expert(layer, expert), to))
      }
    }
  }

  @Test("several waves are written out one by one, and one is not")
  func waves() throws {
    let from = try placed()
    let between = try placed("\"cove\": \"4-9\", \"sound\": \"10-15\"", "\"cove\": \"6-9\", \"sound\": \"4-5,10-15\"")
    let to = try placed("\"cove\": \"4-9\", \"sound\": \"10-15\"", "\"cove\": \"8-9\", \"sound\": \"4-7,10-15\"")
    let steps = PlacementChange.steps(from: from, through: [between, to], facts: sampleFacts, sizes: sizes)
    let change = change(from, to)
    #expect(
      change.text(waves: steps) == """
        wave 1 of 2
          cove: -experts 4-5 of layers 0-2
          sound: +experts 4-5 of layers 0-2 (600 B, from cove)
        wave 2 of 2
          cove: -experts 6-7 of layers 0-2
          sound: +experts 6-7 of layers 0-2 (600 B, from cove)
        at most 1.20 kB of weights move; what a worker has in its store or in a GGUF file of its own does not

        """)
    #expect(change.text(waves: [change]) == change.text())
    let report = PlacementChangeReport(change, waves: steps)
    #expect(report.waves.map(\.bytesMax) == [600, 600] && report.bytesMax == 1200)
    #expect(PlacementChangeReport(change, waves: [change]).waves.isEmpty)
  }

  @Test("the report is JSON and comes back from it")
  func report() throws {
    let change = change(try placed(), try placed("\"host\": \"cove\"", "\"host\": \"sound\""))
    let report = PlacementChangeReport(change)
    let again = try JSONDecoder().decode(PlacementChangeReport.self, from: JSONEncoder().encode(report))
    #expect(again == report)
    #expect(report.hosts == [PlacementChangeReport.Host(layers: "3-5", from: "cove", to: "sound")])
    #expect(report.nodes[1].gains[0].from == ["reef", "cove"] && report.nodes[1].gains[0].pieces == "embedding")
  }
}

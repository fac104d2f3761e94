import ModelSpec
import Tensors
import Testing

@testable import Cluster

@Suite struct PieceListTextTests {
  @Test("layers with the same experts are named together")
  func groups() {
    let pieces: [PieceID] = [
      .output, .expert(3, 1), .expert(3, 0), .expert(0, 4), .expert(4, 0), .expert(4, 1), .trunk(2), .trunk(3),
      .trunk(5), .embedding, .header,
    ]
    #expect(
      PieceListText.describe(pieces)
        == "header, embedding, trunk of layers 2-3,5, expert 4 of layer 0, experts 0-1 of layers 3-4, output")
    #expect(PieceListText.describe([PieceID]()) == "")
  }

  @Test("very uneven layers are only counted")
  func many() {
    let pieces = (0..<7).flatMap { layer in (0...layer).map { PieceID.expert(LayerIndex(layer), ExpertIndex($0)) } }
    #expect(PieceListText.describe(pieces) == "28 experts of layers 0-6")
  }
}

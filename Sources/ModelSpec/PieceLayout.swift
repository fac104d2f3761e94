public import GGUF
public import Tensors

/// One matrix or vector inside a piece.
public struct PiecePart: Sendable, Hashable {
  public let role: TensorRole
  public let type: QuantType
  /// Output rows; 1 for a vector.
  public let rows: Int
  /// Elements of a row.
  public let columns: Int
  /// Where its bytes lie in the model's files.
  public let range: ByteRange
  /// Where its bytes start in the piece.
  public let offset: Int

  public var byteCount: Int { range.byteCount }
}

/// What a piece is made of: its parts' bytes one after another, without padding.
public struct PieceLayout: Sendable, Hashable {
  public let id: PieceID
  public let parts: [PiecePart]
  /// Bytes of the piece as it is stored, hashed and sent.
  public var byteCount: Int { parts.last.map { $0.offset + $0.byteCount } ?? 0 }

  /// Where each part starts in memory: at the next multiple of 64 bytes, so that kernels may load whole cache lines.
  public var memoryOffsets: [Int] {
    var offset = 0
    return parts.map { part in
      defer { offset = (offset + part.byteCount + 63) & ~63 }
      return offset
    }
  }

  /// Bytes the piece takes in memory.
  public var memoryBytes: Int { parts.reduce(0) { $0 + (($1.byteCount + 63) & ~63) } }
}

extension ModelSpec {
  /// All pieces of the weights in their fixed order (without `.header`).
  public var pieces: [PieceID] {
    var result: [PieceID] = [.embedding]
    for layer in layers {
      result.append(.trunk(layer))
      guard requiresExperts(layer) else { continue }
      for expert in 0..<ExpertIndex(hyperparameters.expertCount) { result.append(.expert(layer, expert)) }
    }
    return result + [.output]
  }

  /// The parts of a piece; nil for `.header` and for pieces this model does not have.
  public func layout(of piece: PieceID) -> PieceLayout? {
    switch piece {
    case .header: nil
    case .embedding: layout(piece, [.tokenEmbedding], layer: nil)
    case .output: layout(piece, outputUsesEmbedding ? [.outputNorm] : [.outputNorm, .output], layer: nil)
    case .trunk(let layer):
      layers.contains(layer) ? layout(piece, trunkRoles[layer.rawValue], layer: layer) : nil
    case .expert(let layer, let expert):
      requiresExperts(layer) ? layout(piece, expertRoles[layer.rawValue], layer: layer, expert: expert) : nil
    }
  }

  private func layout(
    _ piece: PieceID, _ roles: [TensorRole], layer: LayerIndex?, expert: ExpertIndex? = nil
  ) -> PieceLayout? {
    var parts: [PiecePart] = []
    var offset = 0
    for role in roles {
      guard let tensor = tensor(role, layer: layer), let range = range(of: tensor, role, expert: expert) else {
        return nil
      }
      // A stack of experts' biases has two dimensions, one expert's has one; a stack of heads is one matrix.
      let stacked = tensor.dimensions.dropFirst().prefix(expert == nil ? .max : 1)
      let rows = role.isVector ? 1 : stacked.reduce(1, *)
      parts.append(
        PiecePart(
          role: role, type: tensor.type, rows: rows, columns: tensor.dimensions[0], range: range, offset: offset))
      offset += range.byteCount
    }
    return PieceLayout(id: piece, parts: parts)
  }

  private func range(of tensor: GGUFTensor, _ role: TensorRole, expert: ExpertIndex?) -> ByteRange? {
    guard let expert else { return ByteRange(file: tensor.file, offset: tensor.offset, byteCount: tensor.byteCount) }
    guard role.isVector else { return try? file.expertRange(tensor, expert: expert, of: hyperparameters.expertCount) }
    guard (0..<hyperparameters.expertCount).contains(expert.rawValue) else { return nil }
    let bytes = tensor.byteCount / hyperparameters.expertCount
    return ByteRange(file: tensor.file, offset: tensor.offset + expert.rawValue * bytes, byteCount: bytes)
  }
}

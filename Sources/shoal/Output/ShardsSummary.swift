import Cluster
import Foundation
import ModelSpec
import ShardStore
import Tensors

/// What `shoal shards list` says.
struct ShardsSummary: Encodable {
  /// Pieces of one kind.
  struct Tally: Encodable {
    var pieces = 0
    var bytes = 0

    mutating func add(_ piece: StoreReport.Piece) {
      pieces += 1
      bytes += piece.stored.byteCount
    }
  }

  /// What is stored of a model, or of models that nothing in the store tells of.
  struct Model: Encodable {
    /// The model's file; nil when it is not known.
    let path: String?
    let modelID: String?
    /// All pieces the model has; nil when it is not known.
    let pieceCount: Int?
    var stored = Tally()
    var inUse = Tally()

    mutating func add(_ piece: StoreReport.Piece) {
      stored.add(piece)
      if !piece.users.isEmpty { inUse.add(piece) }
    }
  }

  struct Piece: Encodable {
    /// In full.
    let digest: String
    /// Such as "expert 3 of layer 7"; nil when no model is known that has it.
    let name: String?
    let modelID: String?
    let bytes: Int
    /// As ISO 8601 writes it, in UTC.
    let lastUsed: String
    /// Processes.
    let users: [Int32]
  }

  let store: String
  private(set) var stored = Tally()
  private(set) var inUse = Tally()
  /// Only models of which something is stored.
  let models: [Model]
  /// Nil unless they were asked for.
  let pieces: [Piece]?

  init(store: String, report: StoreReport, hasPieces: Bool) {
    self.store = store
    var known = report.models.map { Model(path: $0.path, modelID: $0.modelID.description, pieceCount: $0.pieceCount) }
    var unknown = Model(path: nil, modelID: nil, pieceCount: nil)
    for piece in report.pieces {
      stored.add(piece)
      if !piece.users.isEmpty { inUse.add(piece) }
      if let model = piece.model { known[model].add(piece) } else { unknown.add(piece) }
    }
    models = (known + [unknown]).filter { $0.stored.pieces > 0 }
    pieces = hasPieces ? report.pieces.map { Piece($0, in: report) } : nil
  }

  /// A line for each piece if they were asked for, a line for each model, and the total.
  var text: String {
    var lines: [String] = []
    for piece in pieces ?? [] {
      let users = piece.users.isEmpty ? "-" : piece.users.map { "\($0)" }.joined(separator: ",")
      lines.append(
        "\(piece.digest.prefix(12))  \(ByteCountText.describe(piece.bytes))  \(piece.lastUsed)  \(users)  \(piece.name ?? "?")"
      )
    }
    for model in models {
      let count = model.pieceCount.map { "\(model.stored.pieces) of \($0) pieces" } ?? "\(model.stored.pieces) pieces"
      lines.append(
        "\(model.path ?? "?"): \(count), \(ByteCountText.describe(model.stored.bytes)), "
          + "in use \(ByteCountText.describe(model.inUse.bytes))")
    }
    lines.append(
      "\(store): \(stored.pieces) pieces, \(ByteCountText.describe(stored.bytes)), in use \(inUse.pieces) pieces, "
        + ByteCountText.describe(inUse.bytes))
    return lines.map { $0 + "\n" }.joined()
  }

  static func encoded(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }
}

extension ShardsSummary.Piece {
  init(_ piece: StoreReport.Piece, in report: StoreReport) {
    digest = piece.stored.digest.hexadecimal
    name = piece.id?.description
    modelID = piece.model.map { report.models[$0].modelID.description }
    bytes = piece.stored.byteCount
    lastUsed = Date(timeIntervalSince1970: Double(piece.stored.lastUsed) / 1e9)
      .formatted(.iso8601)
    users = piece.users
  }
}

/// What `shoal shards prune` says.
struct PruneSummary: Encodable {
  struct Tally: Encodable {
    let pieces: Int
    let bytes: Int

    init(_ tally: PruneOutcome.Tally) {
      pieces = tally.count
      bytes = tally.byteCount
    }

    var text: String { "\(pieces) pieces, \(ByteCountText.describe(bytes))" }
  }

  let dryRun: Bool
  let removed: Tally
  /// Had to go, but is in use.
  let keptInUse: Tally
  let remaining: Tally

  init(_ outcome: PruneOutcome, isDryRun: Bool) {
    dryRun = isDryRun
    removed = Tally(outcome.removed)
    keptInUse = Tally(outcome.keptInUse)
    remaining = Tally(outcome.remaining)
  }

  var text: String {
    let kept = keptInUse.pieces > 0 ? "kept because in use: \(keptInUse.text)\n" : ""
    return "\(dryRun ? "would be removed" : "removed"): \(removed.text)\n" + kept + "remaining: \(remaining.text)\n"
  }
}

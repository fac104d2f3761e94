import Kernels
import ModelGraph
import Tensors

/// Rows of an exchange that one node was sent, and how far their sums are.
///
/// The parts into which an exchange is first divided are its originals. An original that is sent again has replacements:
/// parts that together hold its rows and choices. Its sums come from its own node or from all the replacements,
/// whichever are complete first; never from some of each.
struct ExchangePart {
  /// Number of the node whose answer is awaited.
  var node = 0
  /// Rows of the pass, ascending, in the order in which they were sent.
  var rows: [Int32] = []
  /// Number of the part that this one replaces; nil for an original.
  var original: Int?
  /// Whether an answer of its node would be taken.
  var isOpen = false
  /// Whether it must not be sent again because somebody asks for it; only a loss may.
  var isResent = false
  /// Sums of the replacements of an original, while there are any.
  var replacement: ReplacementSums?
}

/// Sums of the replacements of a part, kept apart until all are there.
final class ReplacementSums {
  /// Replacements that have not answered, and one more while they are being sent.
  var missing = 0
  /// `[rows of the original, hiddenSize]`
  let sums: UnsafeMutablePointer<Int64>
  private let buffer: AlignedBuffer

  init(rowCount: Int, hiddenSize: Int) {
    buffer = AlignedBuffer(byteCount: 8 * rowCount * hiddenSize)
    sums = buffer.int64s
  }
}

/// What a pass keeps of an exchange while its rows may have to be sent again; memory for one exchange after the other.
final class RetainedExchange {
  /// Whether it holds the exchange that the pass is in.
  private(set) var isValid = false
  /// The original that each choice went to, `[choices]`; -1 for choices that stayed here.
  let partOfChoice: UnsafeMutablePointer<Int32>
  /// The replacement that each choice went to last, `[choices]`; -1 for none.
  let replacementOfChoice: UnsafeMutablePointer<Int32>
  private let exponents: UnsafeMutablePointer<Int32>
  private let firstChoice: UnsafeMutablePointer<Int32>
  private let experts: UnsafeMutablePointer<Int32>
  private let weights: UnsafeMutablePointer<Float>
  private let buffers: [AlignedBuffer]
  private var activationBuffers: [AlignedBuffer?]
  private var layer: LayerIndex = 0
  private var rowCount = 0
  private var forms: [ActivationForm] = []
  private let rowCapacity: Int
  private let hiddenSize: Int

  init(rowCapacity: Int, choicesPerRow: Int, hiddenSize: Int) {
    self.rowCapacity = rowCapacity
    self.hiddenSize = hiddenSize
    let choices = rowCapacity * choicesPerRow
    buffers = [choices, choices, rowCapacity, rowCapacity + 1, choices, choices].map {
      AlignedBuffer(byteCount: 4 * $0)
    }
    let integers = buffers.map { $0.base.assumingMemoryBound(to: Int32.self) }
    partOfChoice = integers[0]
    replacementOfChoice = integers[1]
    exponents = integers[2]
    firstChoice = integers[3]
    experts = integers[4]
    weights = buffers[5].floats
    activationBuffers = ActivationForm.allCases.map { _ in nil }
  }

  /// Most bytes that one takes.
  static func byteCount(rowCapacity: Int, choicesPerRow: Int, hiddenSize: Int) -> Int {
    let rows = ActivationForm.allCases.reduce(0) { $0 + $1.rowStride(elements: hiddenSize) }
    return rowCapacity * (16 * choicesPerRow + 8 + rows) + 4
  }

  func invalidate() { isValid = false }

  /// Copies an exchange.
  /// - Parameters:
  ///   - nodes: the node of each choice.
  ///   - partOfNode: the part each node was sent; -1 for this node.
  func keep(_ rows: RoutedRows, nodes: UnsafePointer<Int32>, partOfNode: UnsafePointer<Int32>) {
    let choices = rows.choiceCount
    layer = rows.layer
    rowCount = rows.rowCount
    exponents.update(from: rows.exponents, count: rowCount)
    firstChoice.update(from: rows.firstChoice, count: rowCount + 1)
    experts.update(from: rows.experts, count: choices)
    weights.update(from: rows.weights, count: choices)
    for choice in 0..<choices { partOfChoice[choice] = partOfNode[Int(nodes[choice])] }
    replacementOfChoice.update(repeating: -1, count: choices)
    forms.removeAll(keepingCapacity: true)
    for form in ActivationForm.allCases {
      guard let source = rows.activations[form] else { continue }
      let stride = form.rowStride(elements: hiddenSize)
      let buffer = activationBuffers[Int(form.rawValue)] ?? AlignedBuffer(byteCount: rowCapacity * stride)
      activationBuffers[Int(form.rawValue)] = buffer
      buffer.base.copyMemory(from: source, byteCount: rowCount * stride)
      forms.append(form)
    }
    isValid = true
  }

  /// All rows of the exchange, as they were when it began.
  var rows: RoutedRows {
    var set = ActivationSet()
    for form in forms { set[form] = activationBuffers[Int(form.rawValue)]?.base }
    return RoutedRows(
      layer: layer, rowCount: rowCount, exponents: exponents, firstChoice: firstChoice, experts: experts,
      weights: weights, activations: set)
  }
}

import ModelGraph
import ModelSpec
import Scheduling
public import Tensors

/// Rows that a peer wants this node's experts for; filled from a frame, then queued. Reused through the engine's pool.
public final class ExpertRequest {
  public internal(set) var key: ExchangeKey
  /// Which part of the exchange this is; the answer repeats it.
  public internal(set) var part = 0
  /// Number of the node that asked.
  public internal(set) var node = 0
  public internal(set) var rowCount = 0
  /// `[rowCapacity]`
  public let exponents: UnsafeMutablePointer<Int32>
  /// `[rowCapacity + 1]`
  public let firstChoice: UnsafeMutablePointer<Int32>
  /// `[rowCapacity * expertsPerToken]`
  public let experts: UnsafeMutablePointer<Int32>
  public let weights: UnsafeMutablePointer<Float>
  public let rowCapacity: Int
  public let choiceCapacity: Int
  private let hiddenSize: Int
  private let buffers: [AlignedBuffer]
  private var activationBuffers: [AlignedBuffer?]
  private var forms: [ActivationForm] = []

  init(_ model: Hyperparameters, rowCapacity: Int) {
    key = ExchangeKey(step: StepID(rawValue: 0), phase: .decode, pass: 0, layer: 0)
    self.rowCapacity = rowCapacity
    choiceCapacity = rowCapacity * model.expertsPerToken
    hiddenSize = model.hiddenSize
    buffers = [rowCapacity, rowCapacity + 1, choiceCapacity, choiceCapacity].map {
      AlignedBuffer(byteCount: 4 * $0)
    }
    exponents = buffers[0].base.assumingMemoryBound(to: Int32.self)
    firstChoice = buffers[1].base.assumingMemoryBound(to: Int32.self)
    experts = buffers[2].base.assumingMemoryBound(to: Int32.self)
    weights = buffers[3].floats
    activationBuffers = ActivationForm.allCases.map { _ in nil }
  }

  func begin(_ key: ExchangeKey, part: Int, from node: Int, rowCount: Int) {
    self.key = key
    self.part = part
    self.node = node
    self.rowCount = rowCount
    forms.removeAll(keepingCapacity: true)
  }

  /// Where to put row `row` of a form: `form.rowStride(elements: hiddenSize)` bytes.
  public func activations(_ form: ActivationForm, row: Int) -> UnsafeMutableRawPointer {
    let stride = form.rowStride(elements: hiddenSize)
    let index = Int(form.rawValue)
    let buffer = activationBuffers[index] ?? AlignedBuffer(byteCount: rowCapacity * stride)
    activationBuffers[index] = buffer
    if !forms.contains(form) { forms.append(form) }
    return buffer.base + row * stride
  }

  var rows: RoutedRows {
    var set = ActivationSet()
    for form in forms { set[form] = activationBuffers[Int(form.rawValue)]?.base }
    return RoutedRows(
      layer: key.layer, rowCount: rowCount, exponents: exponents, firstChoice: firstChoice, experts: experts,
      weights: weights, activations: set)
  }

  /// Whether the rows came in every form that the layer's experts take.
  func has(_ needed: [ActivationForm]) -> Bool { needed.allSatisfy { forms.contains($0) } }
}

import Kernels
import Tensors

/// The forms into which rows are put for several matrices.
struct FormSet: OptionSet {
  let rawValue: UInt8

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(_ form: ActivationForm) { rawValue = 1 << form.rawValue }

  /// The form that a matrix takes; none for weights that cannot be computed with.
  init(_ matrix: WeightMatrix) { rawValue = matrix.type.activationForm.map { 1 << $0.rawValue } ?? 0 }
}

extension AttentionWeights {
  /// What its first matrices take of the normed rows.
  var inputForms: FormSet {
    switch self {
    case .grouped(let weights):
      return FormSet(weights.query).union(FormSet(weights.key)).union(FormSet(weights.value))
    case .latent(let weights):
      switch weights.query {
      case .direct(let query): return FormSet(query).union(FormSet(weights.keyValueDown))
      case .latent(let down, _, _): return FormSet(down).union(FormSet(weights.keyValueDown))
      }
    }
  }
}

import GGUF

/// Reads the keys of one family with range checks and errors that name the key.
struct KeyReader {
  let family: String
  let metadata: GGUFMetadata

  func integer(
    _ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) throws(ModelSpecError) -> Int {
    guard let value = try integerIfPresent(key, in: range) ?? fallback else { throw missing(key) }
    return value
  }

  func integerIfPresent(_ key: String, in range: ClosedRange<Int>) throws(ModelSpecError) -> Int? {
    do {
      return try metadata.integerIfPresent("\(family).\(key)", in: range)
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
  }

  func float(
    _ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil
  ) throws(ModelSpecError) -> Double {
    guard let value = try floatIfPresent(key, in: range) ?? fallback else { throw missing(key) }
    return value
  }

  func floatIfPresent(_ key: String, in range: ClosedRange<Double>) throws(ModelSpecError) -> Double? {
    let found: Float?
    do {
      found = try metadata.floatIfPresent("\(family).\(key)")
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
    guard let value = found.map(Double.init) else { return nil }
    try require(range.contains(value), key, "is \(value), outside \(range.lowerBound)...\(range.upperBound)")
    return value
  }

  func bool(_ key: String, default fallback: Bool) throws(ModelSpecError) -> Bool {
    do {
      return try metadata.boolIfPresent("\(family).\(key)") ?? fallback
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
  }

  func text(_ key: String) throws(ModelSpecError) -> String? {
    do {
      return try metadata.stringIfPresent("\(family).\(key)")
    } catch {
      throw ModelSpecError(.badHyperparameter, error.message)
    }
  }

  func require(_ condition: Bool, _ key: String, _ problem: String) throws(ModelSpecError) {
    guard condition else { throw ModelSpecError(.badHyperparameter, "the key \(family).\(key) \(problem)") }
  }

  func missing(_ key: String) -> ModelSpecError {
    ModelSpecError(.badHyperparameter, "the model has no key \(family).\(key)")
  }
}

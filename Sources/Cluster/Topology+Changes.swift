public import Tensors

extension Topology {
  /// What a running cluster cannot change, because the tokens of its jobs depend on it.
  public struct Settings: Sendable, Hashable {
    public let keyValueType: KVType
    public let combine: CombineMode
    /// Positions of the longest sequence.
    public let context: Int

    public init(keyValueType: KVType, combine: CombineMode, context: Int) {
      self.keyValueType = keyValueType
      self.combine = combine
      self.context = context
    }
  }

  /// Refuses a topology that a cluster cannot change to while it runs.
  /// - Parameters:
  ///   - running: what it runs with.
  ///   - overridden: settings that the command line decides, whatever the file says.
  public func check(
    against running: Settings, facts: ModelFacts, overridden: (keyValueType: Bool, context: Bool) = (false, false)
  ) throws(TopologyError) {
    if !overridden.keyValueType, keyValueType.value != running.keyValueType {
      throw fixed("kv", keyValueType.value.name, running.keyValueType.name, at: keyValueType.position)
    }
    if combine.value != running.combine {
      throw fixed("combine", combine.value.name, running.combine.name, at: combine.position)
    }
    let wanted = try contextLength(for: facts)
    if !overridden.context, wanted != running.context {
      throw fixed("context", "\(wanted)", "\(running.context)", at: context?.position ?? model.position)
    }
  }

  private func fixed(_ key: String, _ wanted: String, _ running: String, at position: SourcePosition) -> TopologyError {
    error(
      .contradiction, at: position,
      "\"\(key)\" would become \(wanted), but \(running) is running, and answers would change; stop the coordinator first"
    )
  }

  /// An error about the model that the topology names, at its line.
  public func modelError(_ message: String) -> TopologyError {
    error(.contradiction, at: model.position, message)
  }
}

import Cluster
import Engine
import ModelGraph
import Scheduling
import Tensors
import Transport
import Wire

/// Turns the engine's messages into frames.
final class WorkerOutlet: EngineOutlet {
  private unowned let shell: WorkerShell
  /// Rows of this node's own experts in the piece of work under way, and since when they are computed.
  var ownRows = 0
  private(set) var ownSince: ContinuousClock.Instant?

  init(shell: WorkerShell) { self.shell = shell }

  private var hiddenSize: Int { shell.running?.hiddenSize ?? 0 }

  func assign(layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>) {
    guard let running = shell.running else { return }
    if !running.holders.assign(layer: layer, experts: experts, count: count, nodes: nodes) {
      // All that have one of the experts are gone: sending to one of them fails and interrupts the step.
      running.holders.assignAny(layer: layer, experts: experts, count: count, nodes: nodes)
    }
    ownRows = (0..<count).count { nodes[$0] == Int32(running.order.node.rawValue) }
    ownSince = shell.configuration.clock()
  }

  func assign(
    layer: LayerIndex, experts: UnsafePointer<Int32>, count: Int, nodes: UnsafeMutablePointer<Int32>, except node: Int
  ) -> Bool {
    shell.running?.holders.assign(
      layer: layer, experts: experts, count: count, nodes: nodes, except: NodeIndex(node)) ?? false
  }

  func hasReplicas(_ layer: LayerIndex) -> Bool { shell.running?.holders.hasReplicas(layer) ?? false }

  func answered(_ key: ExchangeKey, part: Int, node: Int, rows: Int) {
    guard let running = shell.running,
      let answer = running.answers.answered(
        AnswerTimes.Part(key: key, part: part), by: node, at: shell.configuration.clock())
    else { return }
    running.holders.measured(NodeIndex(node), rows: answer.rowCount, time: answer.time)
  }

  func send(_ rows: RoutedRows, for key: ExchangeKey, part: Int, to node: Int) throws {
    var forms = ActivationForms()
    for form in ActivationForm.allCases where rows.activations[form] != nil { forms.insert(ActivationForms(form)) }
    let layout = DispatchLayout(
      rowCount: rows.rowCount, choiceCount: rows.choiceCount, forms: forms, hiddenSize: hiddenSize)
    try send(
      .dispatch, to: NodeIndex(node), key.phase, stream: key.step.rawValue, payloadBytes: layout.byteCount
    ) { target in
      Self.fill(DispatchWriter(target, layout: layout, layer: key.layer, pass: key.pass, part: part), from: rows)
    }
    let now = shell.configuration.clock()
    ownSince = now
    shell.running?.answers.sent(
      AnswerTimes.Part(key: key, part: part), to: node, rowCount: rows.choiceCount,
      canResend: hasReplicas(key.layer), at: now)
  }

  /// Sends a frame of a step, and counts it to the step's phase.
  private func send(
    _ type: FrameType, to node: NodeIndex, _ phase: StepPhase, stream: UInt64, payloadBytes: Int,
    fill: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(TransportError) {
    try shell.data.send(
      type, to: node, flags: phase.flags, stream: stream, payloadBytes: payloadBytes, fill: fill)
    shell.meter.sent(bytes: FrameHeader.byteCount + payloadBytes, prefill: phase == .prefill)
  }

  private static func fill(_ writer: DispatchWriter, from rows: RoutedRows) {
    for row in 0..<rows.rowCount {
      let choices = Int(rows.firstChoice[row])..<Int(rows.firstChoice[row + 1])
      writer.setRow(row, exponent: rows.exponents[row], choiceCount: choices.count)
      for choice in choices { writer.setChoice(choice, expert: rows.experts[choice], weight: rows.weights[choice]) }
    }
    let width = writer.layout.hiddenSize
    for form in ActivationForm.allCases {
      guard let base = rows.activations[form] else { continue }
      for row in 0..<rows.rowCount {
        writer.activations(form, row: row).copyMemory(
          from: base + rows.sourceRow(row) * form.rowStride(elements: width),
          byteCount: form.wireBytes(elements: width))
      }
    }
  }

  func answer(_ request: ExpertRequest, sums: UnsafePointer<Int64>) throws {
    let width = hiddenSize
    let byteCount = CombineWriter.byteCount(sums: sums, rowCount: request.rowCount, hiddenSize: width)
    try send(
      .combine, to: NodeIndex(request.node), request.key.phase, stream: request.key.step.rawValue,
      payloadBytes: byteCount
    ) { target in
      CombineWriter.write(
        target, layer: request.key.layer, pass: request.key.pass, part: request.part, sums: sums,
        rowCount: request.rowCount,
        hiddenSize: width)
    }
  }

  func refuse(_ request: ExpertRequest, because error: any Error) {
    let key = request.key
    shell.sendFailure(
      ExchangeFailed(layer: key.layer, pass: key.pass, part: request.part, sentence: "\(error)"), key.step.rawValue,
      flags: key.phase.flags, to: NodeIndex(request.node))
  }

  func handOver(_ pass: PassHandOver, toStage stage: Int) throws {
    guard let running = shell.running, running.order.placement.stages.indices.contains(stage) else {
      throw WorkerError(.protocolViolation, "there is no stage \(stage) to hand a pass over to")
    }
    let host = running.order.placement.stages[stage].host
    guard host != running.order.node else {
      // Two neighbouring stages on one node: no frame.
      return running.engine.resume(pass, stage: stage)
    }
    let writer = HandOverWriter(
      pass: pass.pass, passCount: pass.passCount, stage: stage, entries: pass.entries, released: pass.released)
    try send(
      .handOver, to: host, pass.phase, stream: pass.step.rawValue,
      payloadBytes: writer.byteCount(hiddenSize: hiddenSize)
    ) { target in
      writer.write(target, rows: pass.rows, hiddenSize: hiddenSize)
    }
  }

  func finished(_ step: StepID, results: [StepResult]) {
    // From here on it is the coordinator's turn, unless a step that follows is here already.
    shell.meter.enter(nil)
    shell.send(.stepResult(StepOutcome(step: step, results: results)))
  }

  func failed(_ step: StepID, because error: any Error) { shell.fail(step, "\(error)") }

  func interrupted(_ step: StepID, because error: any Error) { shell.interrupt(step, "\(error)") }
}

extension StepPhase {
  /// How the phase stands in a frame's header.
  fileprivate var flags: FrameHeader.Flags { self == .prefill ? .prefill : [] }
}

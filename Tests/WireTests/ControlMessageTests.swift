import Cluster
import ModelSpec
import Scheduling
import Tensors
import Testing
import Wire

@Suite struct ControlMessageTests {
  private func decode(_ type: FrameType, _ payload: [UInt8]) throws(WireError) -> ControlMessage {
    try payload.decoding { (bytes) throws(WireError) in try ControlMessage(type: type, payload: bytes) }
  }

  private func payload(_ message: ControlMessage) throws(WireError) -> [UInt8] {
    Array(try Samples.frame(message).dropFirst(FrameHeader.byteCount))
  }

  @Test("every type comes back as it went")
  func roundTrip() throws {
    for (_, message) in Samples.control {
      #expect(try decode(message.type, payload(message)) == message)
    }
    let types = Set(Samples.control.map(\.message.type))
    #expect(types == Set(FrameType.allCases.filter { $0.plane == .control }))
  }

  @Test("every truncation of every message is refused")
  func truncation() throws {
    for (name, message) in Samples.control {
      let bytes = try payload(message)
      for count in 0..<bytes.count {
        #expect(throws: WireError.self, "\(name) cut to \(count)") {
          try decode(message.type, Array(bytes.prefix(count)))
        }
      }
      #expect(throws: WireError.self, "\(name) with a byte too many") { try decode(message.type, bytes + [0]) }
    }
  }

  @Test("no changed byte can do more than change the message or have it refused")
  func flips() throws {
    var refused = 0
    for (_, message) in Samples.control {
      let bytes = try payload(message)
      for index in bytes.indices {
        for mask: UInt8 in [0x01, 0x80, 0xFF] {
          var changed = bytes
          changed[index] ^= mask
          do throws(WireError) {
            let decoded = try decode(message.type, changed)
            // What is accepted can be sent on, and means the same bytes.
            let again = try payload(decoded)
            #expect(again == changed)
          } catch {
            refused += 1
            #expect(error.offset <= changed.count)
          }
        }
      }
    }
    #expect(refused > 1000)
  }

  @Test("lists that announce billions are refused before anything is allocated")
  func hugeCounts() throws {
    for (name, message) in Samples.control {
      let bytes = try payload(message)
      guard bytes.count >= 4 else { continue }
      for offset in 0...bytes.count - 4 {
        for value: [UInt8] in [[0, 0, 0, 0x80], [255, 255, 255, 255], [0, 0, 0, 0x40]] {
          var changed = bytes
          changed.replaceSubrange(offset..<offset + 4, with: value)
          do throws(WireError) {
            let again = try payload(decode(message.type, changed))
            #expect(again.count <= changed.count, "\(name) at \(offset)")
          } catch {
            #expect(error.offset <= changed.count)
          }
        }
      }
    }
  }

  @Test("a step follows an earlier one only, decodes, and brings no tokens")
  func badFollowers() throws {
    func step(_ id: UInt64, _ phase: StepPhase, tokens: [TokenID] = [], follows before: UInt64) -> ControlMessage {
      let entry = StepEntry(
        sequence: SequenceID(rawValue: 1), position: 4, rowCount: 1, tokens: tokens, wanted: .token)
      return .step(
        StepStart(
          batch: StepBatch(
            id: StepID(rawValue: id), phase: phase, entries: [entry], follows: StepID(rawValue: before))))
    }
    let right = step(9, .decode, follows: 8)
    #expect(try decode(.step, payload(right)) == right)
    let wrong = [
      step(9, .decode, follows: 9), step(9, .decode, follows: 10), step(9, .prefill, follows: 8),
      step(9, .decode, tokens: [3], follows: 8), step(9, .decode, follows: 0),
    ]
    for message in wrong {
      #expect(throws: WireError.self) { try decode(.step, payload(message)) }
    }
  }

  @Test("types of other planes are no control messages")
  func otherPlanes() {
    for type in FrameType.allCases where type.plane != .control {
      let error = #expect(throws: WireError.self) { try decode(type, []) }
      #expect(error?.code == .unknownType)
    }
  }

  @Test("a message longer than its type allows is not sent")
  func tooLong() {
    let values = [Float](repeating: 0, count: 17 << 20)
    let message = ControlMessage.logits(PromptLogits(job: 1, position: 0, rows: 1, values: values))
    let error = #expect(throws: WireError.self) { try Samples.frame(message) }
    #expect(error?.code == .overLimit)
  }

  @Test("a sentence that is too long is cut between two characters")
  func longSentence() throws {
    let sentence = "x" + String(repeating: "ö", count: 40_000)
    let message = ControlMessage.refuse(Refuse(code: 0, sentence: sentence))
    guard case .refuse(let refuse) = try decode(.refuse, payload(message)) else {
      Issue.record("another message came back")
      return
    }
    #expect(refuse.sentence.utf8.count == 65_535)
    #expect(sentence.hasPrefix(refuse.sentence))
  }

  @Test("placements that contradict themselves are refused")
  func badPlacements() throws {
    func stage(_ layers: Range<LayerIndex>, host: NodeIndex = 0, node: NodeIndex = 0) -> StagePlacement {
      StagePlacement(
        layers: layers, host: host, experts: [ExpertHolding(node: node, experts: ExpertSet(all: 4))])
    }
    let cases: [([NodeID], [StagePlacement])] = [
      ([], []), (["a", "a"], [stage(0..<1)]), (["a", ""], [stage(0..<1)]),
      (["a"], [stage(1..<2)]), (["a"], [stage(0..<1), stage(2..<3)]), (["a"], [stage(0..<2), stage(1..<3)]),
      (["a"], [stage(0..<1, host: 1)]), (["a"], [stage(0..<1, node: 1)]), (["a"], [stage(0..<0)]),
      (["a"], [stage(0..<5000)]),
    ]
    for (nodes, stages) in cases {
      let placement = Placement(epoch: PlacementEpoch(rawValue: 1), nodes: nodes, stages: stages)
      let prepare = Prepare(
        model: Samples.digest, headerDigest: Samples.digest, headerByteCount: 0, kvType: .f16, combine: .exact,
        context: 1, sequences: 1, subBatchRows: 1, node: 0, placement: placement, addresses: nodes.map(\.rawValue),
        pieces: [])
      #expect(throws: WireError.self) { try decode(.prepare, payload(.prepare(prepare))) }
    }
  }

  @Test("sampling parameters that are not finite are refused")
  func nonFinite() throws {
    for value in [Float.nan, .infinity, -.infinity] {
      var sampling = SamplingParameters()
      sampling.topP = value
      let submit = Submit(request: 1, prompt: .tokens([1]), sampling: sampling, maxTokens: 1, ignoresEOS: false)
      #expect(throws: WireError.self) { try decode(.submit, payload(.submit(submit))) }
    }
  }

  @Test("moves and holders that name nodes the placement does not have are refused")
  func unknownNodes() throws {
    func prepare(holder: NodeIndex?, moves: [KeyValueMove]) -> ControlMessage {
      .prepare(
        Prepare(
          model: Samples.digest, headerDigest: Samples.digest, headerByteCount: 0, kvType: .f16, combine: .exact,
          context: 1, sequences: 1, subBatchRows: 1, node: 0, placement: Samples.placement,
          addresses: ["", "", ""],
          pieces: [PieceDescription(piece: .output, byteCount: 1, digest: Samples.digest, holder: holder)],
          moves: moves))
    }
    let good = KeyValueMove(layers: 0..<1, source: 0, target: 2)
    #expect(throws: Never.self) { try decode(.prepare, payload(prepare(holder: 2, moves: [good]))) }
    for move in [
      KeyValueMove(layers: 0..<1, source: 0, target: 3), KeyValueMove(layers: 0..<1, source: 3, target: 0),
      KeyValueMove(layers: 0..<1, source: 1, target: 1), KeyValueMove(layers: 2..<2, source: 0, target: 1),
      KeyValueMove(layers: 0..<5000, source: 0, target: 1),
    ] {
      #expect(throws: WireError.self) { try decode(.prepare, payload(prepare(holder: nil, moves: [move]))) }
    }
    #expect(throws: WireError.self) { try decode(.prepare, payload(prepare(holder: 3, moves: []))) }
  }

  @Test("numbers that sums could overflow with are refused, and not sent")
  func bigNumbers() throws {
    let limit = UInt64(WireLimits.byteCount)
    let use = ExpertUseReport(
      layers: [ExpertUseReport.Layer(layer: 0, counts: [.max])],
      speeds: [ExpertUseReport.Speed(node: "a", rowNanoseconds: .max)])
    guard case .expertUse(let report) = try decode(.expertUse, payload(.expertUse(use))) else {
      Issue.record("another message came back")
      return
    }
    #expect(report.layers[0].counts == [limit] && report.speeds[0].rowNanoseconds == limit)
    // 0 layers u32, 4 layer u32, 8 experts u32, 12 choices u64, 20 speeds u32, 24 time u64.
    let bytes = try payload(.expertUse(use))
    for offset in [12, 24] {
      var changed = bytes
      changed[offset] = 1
      let error = #expect(throws: WireError.self) { try decode(.expertUse, changed) }
      #expect(error?.code == .overLimit && error?.offset == offset)
    }
    let job = JobDescription(job: 1, state: .done, tokens: 0, created: .max, reason: "")
    guard case .jobList(let list) = try decode(.jobList, payload(.jobList(JobList(request: 1, jobs: [job])))) else {
      Issue.record("another message came back")
      return
    }
    #expect(list.jobs[0].created == limit)
  }

  @Test("a use of experts that is negative or not finite is refused")
  func wrongUse() throws {
    for weight in [-1, -0.0, Float.nan, .infinity] {
      let report = LoadReport(
        request: 1, layers: [LoadReport.Layer(layer: 0, weights: [weight])], speeds: [], nodes: [])
      #expect(throws: WireError.self) { try decode(.loadReport, payload(.loadReport(report))) }
    }
  }

  @Test("a status whose epoch is not that of its placement is refused")
  func statusEpoch() throws {
    for (epoch, placement) in [(UInt32(8), Samples.placement), (0, Samples.placement), (7, nil)] {
      let status = TopologyStatus(
        request: 1, epoch: PlacementEpoch(rawValue: epoch), state: .running, message: "", placement: placement,
        nodes: [])
      #expect(throws: WireError.self) { try decode(.topologyStatus, payload(.topologyStatus(status))) }
    }
  }

  @Test("the stream of a frame names its step or job")
  func streams() throws {
    for (_, message) in Samples.control {
      let frame = try Samples.frame(message)
      let header = try frame.decoding { (bytes) throws(WireError) in try FrameHeader(bytes) }
      #expect(header.stream == message.stream && header.type == message.type)
    }
    #expect(ControlMessage.cancel(Cancel(job: 9)).stream == 9)
    #expect(ControlMessage.shutdown.stream == 0)
  }
}

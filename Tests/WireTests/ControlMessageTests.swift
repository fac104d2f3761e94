import Cluster
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

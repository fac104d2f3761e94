import Tensors
import Testing
import Wire

@Suite struct DispatchViewTests {
  private func view<Value>(
    _ bytes: [UInt8], expertCount: Int = DataSamples.expertCount, _ body: (DispatchView) -> Value
  ) throws(WireError) -> Value {
    try bytes.decoding { (bytes) throws(WireError) in
      body(try DispatchView(bytes, hiddenSize: DataSamples.hiddenSize, expertCount: expertCount))
    }
  }

  private func refuse(_ bytes: [UInt8], expertCount: Int = DataSamples.expertCount, _ code: WireError.Code? = nil) {
    let error = #expect(throws: WireError.self) { try view(bytes, expertCount: expertCount) { _ in } }
    if let code { #expect(error?.code == code) }
  }

  @Test("what is written is read, in every mix of forms and at every alignment", arguments: 1...7)
  func roundTrip(mask: Int) throws {
    let forms = ActivationForms(rawValue: UInt8(mask))
    let bytes = DataSamples.dispatch(forms: forms)
    for shift in 0..<5 {
      let shifted = [UInt8](repeating: 0, count: shift) + bytes
      try shifted.decoding { (all) throws(WireError) in
        let view = try DispatchView(
          UnsafeRawBufferPointer(rebasing: all[shift...]), hiddenSize: DataSamples.hiddenSize,
          expertCount: DataSamples.expertCount)
        #expect(view.layer == 4 && view.pass == 1 && view.part == 3 && view.rowCount == 3 && view.choiceCount == 5)
        #expect(view.forms == forms)
        #expect((0..<3).map { view.exponent(row: $0) } == [-20, -19, -18])
        #expect((0..<3).map { view.choiceCount(row: $0) } == [2, 0, 3])
        #expect((0..<5).map { view.expert(choice: $0) } == [0, 3, 6, 9, 12])
        #expect((0..<5).map { view.weight(choice: $0) } == [0, 0.25, 0.5, 0.75, 1])
        for form in ActivationForm.allCases where forms.contains(form) {
          let row = view.activations(form, row: 2)
          let scale = row.loadUnaligned(fromByteOffset: form == .float32 ? 0 : 256, as: Float.self)
          #expect(scale == 2)
        }
      }
    }
  }

  @Test("copied out, the choices are indexed by row")
  func copy() throws {
    try view(DataSamples.dispatch()) { view in
      var exponents = [Int32](repeating: 0, count: 3)
      var first = [Int32](repeating: 0, count: 4)
      var experts = [Int32](repeating: 0, count: 5)
      var weights = [Float](repeating: 0, count: 5)
      view.copy(exponents: &exponents, firstChoice: &first, experts: &experts, weights: &weights)
      #expect(exponents == [-20, -19, -18] && first == [0, 2, 2, 5])
      #expect(experts == [0, 3, 6, 9, 12] && weights == [0, 0.25, 0.5, 0.75, 1])
    }
  }

  @Test("the size is what the formula says")
  func size() {
    // 2048 elements, 8 choices: 12 + 4 + 6 * 8 + 2080 bytes.
    let layout = DispatchLayout(
      rowCount: 1, choiceCount: 8, forms: ActivationForms(.int8x256), hiddenSize: 2048)
    #expect(layout.byteCount == 2144)
  }

  @Test("every other length is refused")
  func lengths() {
    let bytes = DataSamples.dispatch(forms: ActivationForms(.int8x256))
    for count in 0..<bytes.count { refuse(Array(bytes.prefix(count))) }
    refuse(bytes + [0], .trailingBytes)
  }

  @Test("no changed byte gets past the checks in a way that leaves the payload")
  func flips() throws {
    let bytes = DataSamples.dispatch(forms: ActivationForms(.int8x32))
    for index in 0..<12 + 12 + 30 {
      for mask: UInt8 in [1, 0x40, 0x80, 0xFF] {
        var changed = bytes
        changed[index] ^= mask
        do throws(WireError) {
          try view(changed) { view in
            #expect((0..<view.rowCount).reduce(0) { $0 + view.choiceCount(row: $1) } == view.choiceCount)
            for choice in 0..<view.choiceCount { #expect(view.expert(choice: choice) < DataSamples.expertCount) }
          }
        } catch {
          #expect(error.offset <= changed.count)
        }
      }
    }
  }

  @Test("experts, exponents, counts and numbers that cannot be are refused")
  func lies() {
    let bytes = DataSamples.dispatch(forms: ActivationForms(.int8x256))
    func changed(_ offset: Int, _ replacement: [UInt8]) -> [UInt8] {
      var copy = bytes
      copy.replaceSubrange(offset..<offset + replacement.count, with: replacement)
      return copy
    }
    refuse(bytes, expertCount: 12, .badValue)
    refuse(changed(4, [0, 0]), .badValue)
    refuse(changed(6, [0]), .badValue)
    refuse(changed(6, [8]), .badValue)
    refuse(changed(8, [0, 0, 0, 0x80]), .overLimit)
    refuse(changed(12, [161, 0]), .badValue)
    refuse(changed(12, [0, 0x80]), .badValue)
    refuse(changed(18, [3, 0]), .badValue)
    refuse(changed(24, [255, 255]), .badValue)
    refuse(changed(34, [0, 0, 0x80, 0x7F]), .badValue)
    refuse(changed(34, [0, 0, 0xC0, 0xFF]), .badValue)
    refuse(changed(bytes.count - 4, [0, 0, 0x80, 0xFF]), .badValue)
  }

  @Test("rows that no whole number of blocks makes are refused")
  func blocks() {
    let bytes = DataSamples.dispatch(forms: ActivationForms(.int8x256))
    #expect(throws: WireError.self) {
      try bytes.decoding { (bytes) throws(WireError) in
        _ = try DispatchView(bytes, hiddenSize: 128, expertCount: 16)
      }
    }
  }
}

import GGUF
import Testing

@Suite struct GGUFMetadataTests {
  private func metadata(_ value: GGUFValue, as type: GGUFValueType? = nil) throws -> GGUFMetadata {
    var writer = GGUFWriter()
    try writer.set("some.key", value, as: type)
    return try parse(writer.bytes()).metadata
  }

  @Test("integers of any width are accepted where they fit")
  func integers() throws {
    for type: GGUFValueType in [.uint8, .uint16, .uint32, .uint64, .int8, .int16, .int32, .int64] {
      let metadata = try metadata(.uint(100), as: type)
      #expect(try metadata.integer("some.key", in: 100...100) == 100)
      #expect(try metadata.integerIfPresent("some.key", in: 0...200) == 100)
      let error = failure { () throws(GGUFError) in try metadata.integer("some.key", in: 1...99) }
      #expect(error?.code == .badValue)
      #expect(error?.message.contains("\"some.key\"") == true)
      #expect(error?.message.contains("100") == true && error?.message.contains("1 to 99") == true)
    }
    #expect(try metadata(.int(-5)).integer("some.key", in: -10...0) == -5)
    let large = try metadata(.uint(.max))
    #expect(failure { () throws(GGUFError) in try large.integer("some.key", in: 0...Int.max) }?.code == .badValue)
  }

  @Test("missing keys and other types are errors that name the key and what is needed")
  func errors() throws {
    let metadata = try metadata(.string("text"))
    let getters: [(String, (String) throws(GGUFError) -> Void)] = [
      ("an integer", { (key) throws(GGUFError) in _ = try metadata.integer(key, in: 0...1) }),
      ("a float", { (key) throws(GGUFError) in _ = try metadata.float(key) }),
      ("a bool", { (key) throws(GGUFError) in _ = try metadata.bool(key) }),
      ("an array of strings", { (key) throws(GGUFError) in _ = try metadata.strings(key) }),
      ("an array of floats", { (key) throws(GGUFError) in _ = try metadata.floatsIfPresent(key) }),
      ("an array of integers", { (key) throws(GGUFError) in _ = try metadata.integersIfPresent(key) }),
    ]
    for (needed, getter) in getters {
      let wrong = failure { () throws(GGUFError) in try getter("some.key") }
      #expect(wrong?.code == .wrongType)
      #expect(wrong?.message.contains(needed) == true && wrong?.message.contains("\"text\"") == true)
    }
    for (_, getter) in getters.prefix(4) {
      let missing = failure { () throws(GGUFError) in try getter("other.key") }
      #expect(missing?.code == .missingKey)
      #expect(missing?.message.contains("other.key") == true)
    }
    #expect(failure { () throws(GGUFError) in try metadata.string("other.key") }?.code == .missingKey)
    let number = try self.metadata(.uint(1))
    #expect(failure { () throws(GGUFError) in try number.string("some.key") }?.code == .wrongType)
  }

  @Test("keys that are not there give nil from the accessors that allow it")
  func absent() throws {
    let metadata = try metadata(.bool(true))
    #expect(try metadata.stringIfPresent("none") == nil)
    #expect(try metadata.integerIfPresent("none", in: 0...1) == nil)
    #expect(try metadata.floatIfPresent("none") == nil)
    #expect(try metadata.boolIfPresent("none") == nil)
    #expect(try metadata.stringsIfPresent("none") == nil)
    #expect(try metadata.floatsIfPresent("none") == nil)
    #expect(try metadata.integersIfPresent("none") == nil)
    #expect(metadata["none"] == nil)
    #expect(metadata.keys == ["some.key"])
    #expect(try metadata.bool("some.key"))
  }

  @Test("floats of both widths and integers are floats, but only finite ones")
  func floats() throws {
    #expect(try metadata(.float(1e-6), as: .float32).float("some.key") == 1e-6)
    #expect(try metadata(.float(0.1), as: .float64).float("some.key") == 0.1)
    #expect(try metadata(.uint(10_000)).float("some.key") == 10_000)
    #expect(try metadata(.int(-2)).float("some.key") == -2)
    for bad in [Double.nan, .infinity, -.infinity, 1e300] {
      let metadata = try metadata(.float(bad))
      #expect(failure { () throws(GGUFError) in try metadata.float("some.key") }?.code == .badValue)
    }
  }

  @Test("arrays come back as they were written, in any width")
  func arrays() throws {
    #expect(try metadata(.array(.strings(["a", "", "ü"]))).strings("some.key") == ["a", "", "ü"])
    #expect(try metadata(.array(.floats([0.5, -1]))).floatsIfPresent("some.key") == [0.5, -1])
    #expect(try metadata(.array(.doubles([0.5, 0.1]))).floatsIfPresent("some.key") == [0.5, 0.1])
    for type: GGUFValueType in [.uint8, .uint16, .uint32, .uint64, .int8, .int16, .int32, .int64] {
      #expect(try metadata(.array(.uints([0, 127])), as: type).integersIfPresent("some.key") == [0, 127])
    }
    #expect(try metadata(.array(.ints([.min, .max]))).integersIfPresent("some.key") == [.min, .max])
    let large = try metadata(.array(.uints([1, 1 << 63])))
    #expect(failure { () throws(GGUFError) in try large.integersIfPresent("some.key") }?.code == .badValue)
    #expect(try metadata(.array(.strings([]))).strings("some.key").isEmpty)
  }
}

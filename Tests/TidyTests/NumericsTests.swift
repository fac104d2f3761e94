import Foundation
import Testing

@Suite("Numerics")
struct NumericsTests {
  private let repository = Repository.current

  @Test("every C file forbids contraction, and none asks for another meaning of its code")
  func contraction() {
    let paths = repository.files(under: "Sources/", "c")
    let headers = repository.files(under: "Sources/", "h")
    #expect(!paths.isEmpty)
    for path in paths {
      let isOff = CSourceRule.switchesContractionOff(repository.tokens(path)) { name in
        headers.first { $0.hasSuffix("/" + name) }.map(repository.tokens)
      }
      // A file without floating point has nothing to contract.
      let words = Set(repository.tokens(path).filter { $0.kind == .word }.map(\.text))
      let hasFloats = words.contains { ["float", "double", "__m256", "__m512", "__m128"].contains($0) }
      #expect(isOff || !hasFloats, "\(path) lacks #pragma STDC FP_CONTRACT OFF")
    }
    let violations = (paths + headers).flatMap { CSourceRule.violations(repository.tokens($0), path: $0) }
    expectNone(violations)
  }

  @Test("a missing pragma is found, one in a header counts, and so does a request for fast mathematics")
  func badSource() {
    func isOff(_ source: String) -> Bool {
      CSourceRule.switchesContractionOff(Lexer.tokens(source, language: .c)) { name in
        name == "off.h" ? Lexer.tokens("#pragma  STDC FP_CONTRACT OFF", language: .c) : nil
      }
    }
    #expect(isOff("#pragma STDC FP_CONTRACT OFF\nfloat a;"))
    #expect(isOff("#include \"off.h\"\nfloat a;"))
    #expect(!isOff("// #pragma STDC FP_CONTRACT OFF\nfloat a;"))
    #expect(!isOff("#include <off.h>\n#include \"other.h\"\nfloat a;"))
    let bad = Lexer.tokens("#pragma GCC optimize(\"fast-math\")\nint a; // -march", language: .c)
    #expect(CSourceRule.violations(bad, path: "f").map(\.line) == [1])
  }

  @Test("built objects call nothing of libm", arguments: ["CKernels", "Kernels", "ModelGraph", "Sampling"])
  func symbols(room: String) throws {
    let folder = URL(filePath: ProcessInfo.processInfo.arguments[0]).deletingLastPathComponent()
      .appending(path: "\(room).build")
    guard let lister = Command.find("nm") ?? Command.find("llvm-nm") else {
      Issue.record("not checked: neither nm nor llvm-nm is installed", severity: .warning)
      return
    }
    let objects = objects(of: room, in: folder)
    guard !objects.isEmpty else {
      Issue.record("not checked: no object files in \(folder.path)", severity: .warning)
      return
    }
    for object in objects {
      let output = try #require(Command.output(lister, ["-u", object]), "nm cannot read \(object)")
      let functions = SymbolRule.mathFunctions(inListing: String(decoding: output, as: UTF8.self))
      #expect(functions.isEmpty, "\(object) calls \(functions)")
    }
  }

  /// The room's object files, without those of sources that no longer exist.
  private func objects(of room: String, in folder: URL) -> [String] {
    guard let names = FileManager.default.enumerator(atPath: folder.path) else { return [] }
    let sources = Set(
      repository.files(under: "Sources/\(room)/", "swift", "c").map { ($0 as NSString).lastPathComponent })
    return names.compactMap { $0 as? String }.filter { name in
      name.hasSuffix(".o") && sources.contains(((name as NSString).lastPathComponent as NSString).deletingPathExtension)
    }.map { folder.appending(path: $0).path }
  }

  @Test("functions of libm are found in a listing, whatever their width and version")
  func badListing() {
    let listing = """

                       U expf@GLIBC_2.27
                       U pow
                       U sqrtf
                       U fmaf
                       U memcpy@@GLIBC_2.14
                       w tanh
      0000000000000000 T cos
                       U __logf_finite
                       U _ZGVdN8v_sinf
                       U $s7Kernels3expyySfF
      """
    #expect(
      SymbolRule.mathFunctions(inListing: listing) == ["expf@GLIBC_2.27", "pow", "__logf_finite", "_ZGVdN8v_sinf"])
  }
}

import Testing

@Suite("The house")
struct HouseTests {
  private let repository = Repository.current

  /// Room and path of every source file.
  private var sources: [(room: String, path: String)] {
    House.rooms.flatMap { room in
      repository.files(under: (room.folder ?? "Sources/\(room.name)") + "/", "swift", "c", "h").map { (room.name, $0) }
    }
  }

  @Test("a row names only rows above it")
  func order() {
    for (position, room) in House.rooms.enumerated() {
      let above = House.rooms[..<position].map(\.name)
      #expect(room.imports.allSatisfy(above.contains), "\(room.name)")
      #expect(room.imports.allSatisfy { !House.testsOnly.contains($0) })
    }
  }

  @Test("a room reaches what its row names and what that names in turn, but C only by name")
  func reach() {
    #expect(House.reach(of: "Tokenization") == ["GGUF", "Tensors"])
    #expect(House.reach(of: "Kernels") == ["CKernels", "Tensors"])
    #expect(House.reach(of: "Sampling") == ["Kernels", "Scheduling", "ModelSpec", "GGUF", "Tensors"])
  }

  @Test("imports follow the table")
  func imports() {
    #expect(sources.count > 10)
    let violations = sources.filter { $0.path.hasSuffix(".swift") }.flatMap {
      ImportRule.violations(room: $0.room, path: $0.path, tokens: repository.tokens($0.path))
    }
    expectNone(violations)
  }

  @Test("every folder of Sources is a room")
  func folders() {
    let folders = Set(repository.paths.filter { $0.hasPrefix("Sources/") }.map { $0.split(separator: "/")[1] })
    expectNone(folders.filter { House.room(String($0)) == nil }.sorted())
  }

  @Test("a forbidden import is found, in each way it can be written")
  func badImports() {
    let source = """
      // import Engine
      public import Tensors
      @testable import Wire
      import struct Crypto.SHA256
      #if canImport(Glibc)
        import Glibc
      #endif
      @_exported import GGUF
      import Foundation
      """
    let violations = ImportRule.violations(room: "Kernels", path: "f", tokens: Lexer.tokens(source))
    #expect(violations.map(\.line) == [3, 4, 8, 9, 8])
    let store = ImportRule.violations(room: "ShardStore", path: "f", tokens: Lexer.tokens("import CKernels"))
    #expect(store.count == 1)
    #expect(ImportRule.violations(room: "Attic", path: "f", tokens: []).count == 1)
  }

  @Test("C includes libc, intrinsics and its own headers")
  func includes() {
    let files = sources.filter { $0.path.hasSuffix(".c") || $0.path.hasSuffix(".h") }
    let own = Set(files.compactMap { $0.path.split(separator: "/").last.map(String.init) })
    let violations = files.flatMap {
      ImportRule.foreignIncludes(path: $0.path, tokens: repository.tokens($0.path), own: own)
    }
    expectNone(violations)
    let bad = Lexer.tokens("#include <stdint.h>\n#include \"own.h\"\n#include <cblas.h>", language: .c)
    #expect(ImportRule.foreignIncludes(path: "f", tokens: bad, own: ["own.h"]).map(\.line) == [3])
  }

  @Test("Package.swift agrees with the table")
  func manifest() throws {
    let text = try #require(repository.text("Package.swift"))
    let violations = ManifestRule.violations(text, folders: Set(sources.map(\.room)))
    expectNone(violations)
  }

  @Test("a manifest that departs from the table is found")
  func badManifest() {
    let text = """
      let nio: [Target.Dependency] = [.product(name: "NIOCore", package: "swift-nio")]
      let rooms = [
        .target(name: "CKernels"),
        room("Tensors", ["GGUF"]),
        room("GGUF", ["Tensors"] + nio),
        .target(name: "Wire", dependencies: ["Tensors", "Engine"] + nio, path: "Elsewhere"),
        .executableTarget(name: "shoal", cSettings: [.unsafeFlags(["-march=native"])]),
      ]
      """
    #expect(
      ManifestRule.targets(Lexer.tokens(text)) == [
        .init(name: "CKernels", rooms: [], packages: []), .init(name: "Tensors", rooms: ["GGUF"], packages: []),
        .init(name: "GGUF", rooms: ["Tensors"], packages: ["NIOCore"]),
        .init(name: "Wire", rooms: ["Tensors", "Engine"], packages: ["NIOCore"]),
        .init(name: "shoal", rooms: [], packages: []),
      ])
    let messages = ManifestRule.violations(text, folders: ["CKernels", "Tensors", "shoal", "Wire", "Kernels"]).map(
      \.message)
    #expect(
      messages == [
        "Tensors may not depend on GGUF", "GGUF may not depend on the package product NIOCore",
        "Wire may not depend on Engine", "Wire may not depend on the package product NIOCore", "Kernels is no target",
        "the target GGUF has no folder", "cSettings is not used here",
        "unsafeFlags is not used here", "compiler flags are not given here: -march=native",
      ])
  }

  @Test("a room is planned as long as its folder does not exist")
  func planned() {
    let folders = Set(sources.map(\.room))
    for room in House.rooms {
      #expect(room.isPlanned == !folders.contains(room.name), "\(room.name)")
    }
  }

  @Test("docs/architecture.md shows the same table")
  func page() throws {
    let page = try #require(repository.text("docs/architecture.md"))
    let differences = HousePageRule.differences(page, rooms: House.rooms)
    expectNone(differences)
  }

  @Test("a page that departs from the data is found")
  func badPage() {
    let page = """
      | target | for | imports |
      |---|---|---|
      | `A` | first | - |
      | `B` (planned) | second | `C` |
      """
    let rooms = [Room(name: "A", imports: []), Room(name: "B", imports: ["A"])]
    #expect(HousePageRule.rows(page).map(\.name) == ["A", "B"])
    #expect(HousePageRule.differences(page, rooms: rooms).count == 2)
    #expect(HousePageRule.differences(page, rooms: Array(rooms.dropLast())).count == 1)
  }
}

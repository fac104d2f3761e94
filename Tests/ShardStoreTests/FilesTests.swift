import Foundation
import Testing

@testable import ShardStore

@Suite struct FilesTests {
  #if os(Linux)
    @Test("a full disk is named with a remedy")
    func fullDisk() throws {
      let full = Descriptor(open("/dev/full", O_WRONLY))
      var code: ShardStoreError.Code?
      do {
        try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try Files.write($0, to: full, path: "/full/piece") }
      } catch let error as ShardStoreError {
        code = error.code
        #expect(error.path == "/full/piece" && error.message.contains("--store"))
      }
      #expect(code == .noSpace)
    }
  #endif

  @Test("a failed write leaves nothing behind")
  func failedWrite() throws {
    let folder = try TemporaryFolder()
    // A folder in the file's place: the rename fails.
    try FileManager.default.createDirectory(atPath: folder.file("name/below"), withIntermediateDirectories: true)
    let error = #expect(throws: ShardStoreError.self) {
      try [UInt8](repeating: 1, count: 100).withUnsafeBytes { try Files.writeWhole($0, as: "name", in: folder.path) }
    }
    #expect(error?.code == .io)
    #expect(Files.names(in: folder.path) == ["name"])
  }

  @Test("folders are made with those above them, and only once")
  func folders() throws {
    let folder = try TemporaryFolder()
    for path in ["a/b/c", "a/b/c", "a/d/", "."] { try Files.makeFolder(folder.file(path)) }
    #expect(Files.isFolder(folder.file("a/b/c")) && Files.isFolder(folder.file("a/d")))
  }

  @Test("what is no regular file is no piece")
  func kinds() throws {
    let folder = try TemporaryFolder()
    try write([1, 2], to: folder.file("file"))
    symlink(folder.file("file"), folder.file("link"))
    mkfifo(folder.file("pipe"), 0o600)
    #expect(Files.status(folder.file("file"))?.byteCount == 2)
    for name in ["link", "pipe", "missing", "."] { #expect(Files.status(folder.file(name)) == nil) }
    let pipe = try required(Files.open(folder.file("pipe")))
    #expect(Files.status(pipe) == nil)
    #expect(throws: ShardStoreError.self) { _ = try Files.open(folder.file("link")) }
  }
}

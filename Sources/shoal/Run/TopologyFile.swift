import Cluster

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Reads topology files.
enum TopologyFile {
  static func read(_ path: String) throws -> Topology {
    do {
      return try Topology(decoding: bytes(path, limit: 16 << 20), file: path)
    } catch let error as InputError where error.status == .noInput {
      throw InputError(.noInput, "\(error); name a topology with --topology FILE, or a model with --model FILE.gguf")
    }
  }

  /// A whole file.
  /// - Throws: `InputError` when it cannot be read or is longer than `limit`.
  static func bytes(_ path: String, limit: Int) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw InputError(.noInput, "\(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = chunk.withUnsafeMutableBytes { systemRead(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw InputError(.noInput, "\(path): \(String(cString: strerror(errno)))") }
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
      guard bytes.count <= limit else {
        throw InputError(.badData, "\(path): longer than the \(limit) bytes that are allowed")
      }
    }
  }
}

/// `read(2)`, whose name `TopologyFile.read` hides.
private func systemRead(_ file: Int32, _ base: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  read(file, base, count)
}

import GGUF
import ModelSpec

extension GGUFDataReader {
  /// Fills `buffer`, which has the size of `range`.
  func fill(_ buffer: UnsafeMutableRawBufferPointer, from range: ByteRange) throws(ShardStoreError) {
    do throws(GGUFError) { try read(range, into: buffer) } catch { throw ShardStoreError(error) }
  }

  /// Checks that the open files still begin with the very headers that `spec` was made from.
  ///
  /// Headers and weights are opened one after the other, so a file may have been replaced in between; hashes would
  /// then be those of other weights than the headers describe.
  /// - Throws: `modelChanged` naming the file; `io` when it cannot be read.
  func requireHeaders(of spec: ModelSpec) throws(ShardStoreError) {
    let headers = spec.file.headers
    guard headers.count == paths.count else {
      throw ShardStoreError(.modelChanged, "the model has \(headers.count) files, but \(paths.count) are open")
    }
    for (index, header) in headers.enumerated() {
      let size = identities[index].byteCount
      var same = size == header.fileByteCount && header.bytes.count <= size
      if same {
        do throws(GGUFError) {
          same = try bytes(ByteRange(file: index, offset: 0, byteCount: header.bytes.count)) == header.bytes
        } catch {
          throw ShardStoreError(error)
        }
      }
      guard same else {
        throw ShardStoreError(
          .modelChanged, "the file was replaced after its header was read; start again", path: paths[index])
      }
    }
  }

  /// - Throws: `modelChanged` unless every file still has the size, inode and time it was opened with.
  func requireUnchanged() throws(ShardStoreError) {
    let unchanged: Bool
    do throws(GGUFError) { unchanged = try isUnchanged() } catch { throw ShardStoreError(error) }
    guard unchanged else {
      throw ShardStoreError(
        .modelChanged, "the model's file changed while it was read; start again when nothing writes to it",
        path: paths.count == 1 ? paths[0] : paths.joined(separator: ", "))
    }
  }
}

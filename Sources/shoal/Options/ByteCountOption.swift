import ArgumentParser
import Cluster

/// Options that are sizes, such as `--memory`.
enum ByteCountOption {
  /// - Throws: `ValidationError` with the option's name unless the text is a size.
  static func check(_ option: String, _ text: String) throws {
    guard ByteCountText.parse(text) != nil else {
      throw ValidationError("\(option) \"\(text)\" is no size; write 512MB, 1.5GB or 2GiB")
    }
  }
}

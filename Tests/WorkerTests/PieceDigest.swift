import Crypto
import Tensors

/// The hash that names bytes.
enum PieceDigest {
  static func of(_ bytes: [UInt8]) throws -> Tensors.Digest {
    guard let digest = Tensors.Digest(bytes: Array(SHA256.hash(data: bytes))) else {
      throw CryptoKitError.incorrectKeySize
    }
    return digest
  }
}

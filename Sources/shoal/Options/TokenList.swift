import ArgumentParser
import Tensors

/// Token ids as they stand on the command line: `1,2,3`.
struct TokenList: ExpressibleByArgument {
  let tokens: [TokenID]

  init?(argument: String) {
    var tokens: [TokenID] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = UInt32(part.trimming(" ")) else { return nil }
      tokens.append(TokenID(value))
    }
    self.tokens = tokens
  }
}

extension Substring {
  fileprivate func trimming(_ character: Character) -> Substring {
    var rest = self
    while rest.first == character { rest.removeFirst() }
    while rest.last == character { rest.removeLast() }
    return rest
  }
}

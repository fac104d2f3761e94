import ArgumentParser
import Transport

extension HostPort {
  /// An address from the command line.
  /// - Throws: `InputError`, naming the option, for text that is no address.
  init(option: String, _ text: String) throws {
    do throws(TransportError) {
      try self.init(parsing: text)
    } catch {
      throw InputError(.usage, "\(option): \(error)")
    }
  }
}

import Logging

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What is logged.
enum LogSettings {
  /// From the environment variable `SHOAL_LOG` (trace, debug, info, notice, warning, error, critical).
  static var level: Logger.Level {
    guard let value = getenv("SHOAL_LOG") else { return .error }
    return Logger.Level(rawValue: String(cString: value)) ?? .error
  }
}

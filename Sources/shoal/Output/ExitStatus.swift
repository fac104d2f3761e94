import ArgumentParser
import Cluster
import Coordinator
import GGUF
import JobStore
import Kernels
import ModelSpec
import Scheduling
import ShardStore
import Tokenization
import Transport

/// Exit codes as `sysexits.h` numbers them.
enum ExitStatus: Int32 {
  case usage = 64
  case badData = 65
  case noInput = 66
  case unavailable = 69
  case software = 70
  case cannotCreate = 73
  case ioError = 74
  /// The reader of standard output went away, as a shell reports SIGPIPE.
  case closedPipe = 141

  var code: ExitCode { ExitCode(rawValue) }

  /// The code of a process that a signal ended, as a shell reports it.
  static func code(signal: Int32) -> ExitCode { ExitCode(128 + signal) }

  /// The status for an error of any room.
  init(_ error: any Error) {
    self =
      switch error {
      case let error as GGUFError: error.code == .io ? .noInput : .badData
      case let error as InputError: error.status
      case let error as CoordinatorError: Self.status(of: error.code)
      case let error as ShardStoreError: error.code == .modelChanged ? .badData : .ioError
      case let error as JournalError: Self.status(of: error.code)
      case is ModelSpecError, is TopologyError, is TokenizationError: .badData
      case is SchedulingError, is KernelError: .usage
      case is TransportError: .unavailable
      default: .software
      }
  }

  private static func status(of code: JournalError.Code) -> ExitStatus {
    switch code {
    case .inUse, .busy, .closed: .unavailable
    case .notAJournal, .unknownVersion, .damaged, .badFormat, .contradiction, .overLimit: .badData
    case .notWritable: .cannotCreate
    case .io, .noSpace: .ioError
    }
  }

  private static func status(of code: CoordinatorError.Code) -> ExitStatus {
    switch code {
    case .badRequest: .usage
    case .promptTooLong, .badModel: .badData
    case .busy, .unreachable, .refused, .numericsMismatch, .prepareFailed, .workerLost, .stopped, .startFailed:
      .unavailable
    case .stepFailed, .badAnswer: .software
    }
  }
}

/// A file or an argument that cannot be used.
struct InputError: Error, CustomStringConvertible {
  let status: ExitStatus
  let description: String

  init(_ status: ExitStatus, _ description: String) {
    self.status = status
    self.description = description
  }
}

/// Runs a command's work; an error becomes one line on standard error and its exit code.
func withExitStatus(_ work: () throws -> Void) throws {
  do {
    try work()
  } catch let code as ExitCode {
    throw code
  } catch let error as ValidationError {
    throw error
  } catch {
    Console.error("shoal: \(error)")
    throw ExitStatus(error).code
  }
}

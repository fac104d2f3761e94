import Foundation

/// The programs that build C for arm64 and run it here.
enum CrossTools {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private static let emulator = find("qemu-aarch64")
  /// The compiler that the package is built with, as the sources use what only Clang knows; any other Clang if need be.
  private static let compiler: String? = {
    let swift = find("swift").map { URL(filePath: $0).resolvingSymlinksInPath() }
    let sibling = swift.map { $0.deletingLastPathComponent().appending(path: "clang").path }
    return [sibling, find("clang")].compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  /// What to install, as a sentence; nil when everything is there.
  static let missing: String? = {
    #if arch(arm64)
      return "this machine runs the NEON kernels itself, in the other suites"
    #else
      return missingPackages
    #endif
  }()

  private static let missingPackages: String? = {
    var packages: [String] = []
    if emulator == nil { packages.append("qemu-user") }
    if find("aarch64-linux-gnu-ld") == nil { packages.append("gcc-aarch64-linux-gnu") }
    if !FileManager.default.fileExists(atPath: "/usr/aarch64-linux-gnu/lib/libc.a") {
      packages.append("libc6-dev-arm64-cross")
    }
    if compiler == nil { packages.append("clang") }
    guard !packages.isEmpty else { return nil }
    return "the NEON kernels are not tested here: install \(packages.joined(separator: ", ")) (names of Debian)"
  }()

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Builds the kernels and the driver for arm64 as one static program in a folder.
  static func build(in folder: URL) throws -> URL {
    let kernels = root.appending(path: "Sources/CKernels")
    let names = try FileManager.default.contentsOfDirectory(atPath: kernels.path).filter { $0.hasSuffix(".c") }.sorted()
    let sources = names.map { kernels.appending(path: $0).path }
    let driver = folder.appending(path: "driver")
    let arguments = [
      "--target=aarch64-linux-gnu", "-O2", "-static", "-I", kernels.appending(path: "include").path,
      root.appending(path: "Tests/CrossKernels/driver.c").path, "-o", driver.path,
    ]
    try run(compiler, arguments + sources, input: nil, output: folder.appending(path: "compiler.txt"))
    return driver
  }

  /// Runs the program on a CPU of this name, as qemu calls it, and returns what it writes.
  static func answer(of driver: URL, cpu: String, input: URL) throws -> [UInt8] {
    let output = driver.deletingLastPathComponent().appending(path: "answer-\(cpu)")
    try run(emulator, ["-cpu", cpu, driver.path], input: input, output: output)
    return try Array(Data(contentsOf: output))
  }

  private static func run(_ program: String?, _ arguments: [String], input: URL?, output: URL) throws {
    guard let program else { throw Failure(description: missing ?? "no program") }
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    try Data().write(to: output)
    process.standardInput = try input.map { try FileHandle(forReadingFrom: $0) } ?? FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    let problems = Pipe()
    process.standardError = problems
    try process.run()
    // A signal may interrupt the reading; the program's end is what counts then.
    let said = String(decoding: (try? problems.fileHandleForReading.readToEnd()) ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw Failure(description: "\(program) ended with \(process.terminationStatus): \(said.prefix(2000))")
    }
  }

  /// The first folder of `PATH` that holds a program of this name.
  private static func find(_ name: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}

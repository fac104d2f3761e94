import ArgumentParser
import Foundation
import GGUF
import ModelSpec

/// What a model file holds.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Tell what a model file holds: sizes by part, and what a token costs.")

  @Argument(help: "The GGUF file; of a split model the first one.")
  var file: String
  @Flag(help: "As JSON.")
  var json = false

  func run() throws {
    try withExitStatus {
      let file = try GGUFFile.open(file)
      let spec = try ModelSpec(file: file)
      let report = ModelReport(spec)
      guard json else { return try Console.write(report.text) }
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      try Console.write(String(decoding: try encoder.encode(report), as: UTF8.self) + "\n")
    }
  }
}

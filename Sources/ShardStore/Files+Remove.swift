#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension Files {
  /// What became of a file that was to be removed.
  enum Removal {
    case removed
    /// It is there as before.
    case kept
    /// It was not there, or somebody else is removing it.
    case gone
  }

  /// Removes a file unless it turns out to be needed.
  ///
  /// It is moved aside before `isNeeded` is asked, and moved back if so. Whoever first says that it needs a file and then
  /// looks for it thus either finds it, and it stays, or does not find it; no lock makes anyone wait. The file is locked
  /// while it lies aside, so that nobody takes it for what a crash left behind.
  ///
  /// - Parameter isNeeded: given the open file.
  static func remove(
    _ name: String, in folder: String, unlessNeeded isNeeded: (borrowing Descriptor) -> Bool
  ) throws(ShardStoreError) -> Removal {
    let path = folder + "/" + name
    guard let file = try open(path) else { return .gone }
    if flock(file.number, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK { return .gone }
    let aside = temporaryPath(in: folder)
    guard rename(path, aside) == 0 else {
      if errno == ENOENT { return .gone }
      throw ShardStoreError(system: errno, "cannot remove", path: path)
    }
    // A file written to its place meanwhile has the same bytes: its name is their hash.
    if isNeeded(file), rename(aside, path) == 0 { return .kept }
    unlink(aside)
    return .removed
  }
}

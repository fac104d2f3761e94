/// Which two elements of a head a rotary position embedding turns together.
public enum RotationStyle: Sendable, Hashable {
  /// Element i with element i + pairs ("neox").
  case halfSplit
  /// Element 2i with element 2i + 1 ("norm").
  case interleaved
}

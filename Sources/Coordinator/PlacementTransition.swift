import Cluster
import Tensors
import Wire

/// A change of placement that is under way: the wave that is prepared, and those to come.
struct PlacementTransition {
  var current: PlacementSwitch
  /// Placements to go through after the current one; the last is what is headed for.
  var rest: [Placement]
  /// Sequences for which the nodes make room.
  let sequences: Int
  /// Layers whose host changes while both hosts are there.
  let moves: [KeyValueMove]
  /// Whether their keys and values go along; decided when the switch begins.
  var movesKeyValues = false
  /// Since when no step is started because of it.
  var quietSince: ContinuousClock.Instant?
  /// When everyone must have switched.
  var deadline: ContinuousClock.Instant?
  /// Bytes that the nodes have fetched for it.
  var bytesMoved = 0

  /// Where it leads to in the end.
  var target: Placement { rest.last ?? current.placement }
}

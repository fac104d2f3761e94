import Cluster
import ModelSpec
import Tensors

/// Draws the events of a schedule.
struct ElasticSource {
  var random: SeededRandom
  let spec: ModelSpec
  let pool: [NodeID]
  var placement: Placement
  let requests: Int
  var submissions = 0

  mutating func moments() -> [ElasticSchedule.Moment] {
    var moments: [ElasticSchedule.Moment] = []
    func add(_ event: ElasticEvent, within limit: Int) {
      moments.append(.init(pause: random.next(below: limit), turns: random.next(below: 30), event: event))
    }
    // A few jobs at the start, the others while things happen.
    for _ in 0..<random.next(in: 1...3) { add(submission(), within: 3) }
    for _ in 0..<random.next(in: 3...12) {
      if random.chance(0.25) { add(submission(), within: 20) }
      let limit = random.pick([4, 40, 200, 1200])
      for event in events() { add(event, within: limit) }
    }
    return moments
  }

  /// At times a stage moves to another host while rows of the old one are still on their way to the next: they arrive
  /// when the sequences are long beyond them.
  mutating func overtaking() -> [ElasticSchedule.Moment] {
    let steps = zip(placement.stages.indices, placement.stages.indices.dropFirst()).filter {
      placement.stages[$0].host != placement.stages[$1].host
    }
    guard random.chance(0.5), placement.nodes.count > 1, !steps.isEmpty else { return [] }
    let (from, to) = random.pick(steps)
    let old = placement.stages[from].host
    let hosts = placement.nodes.indices.filter { $0 != old.rawValue }
    var stages = placement.stages
    for index in stages.indices where stages[index].host == old {
      stages[index] = StagePlacement(
        layers: stages[index].layers, host: NodeIndex(random.pick(hosts)), experts: stages[index].experts)
    }
    let pair = (placement.nodes[old.rawValue], placement.nodes[placement.stages[to].host.rawValue])
    let time = random.pick([400, 600, 1500])
    let event = ElasticEvent.edit(
      Placement(epoch: placement.epoch, nodes: placement.nodes, stages: stages), sequences: random.next(in: 1...4))
    return [
      .init(
        pause: random.pick([0, 700, 3000]), turns: 0,
        event: .submit(request: random.next(below: requests), isDurable: true)),
      .init(pause: 0, turns: 5, event: .submit(request: random.next(below: requests), isDurable: true)),
      .init(pause: random.next(below: 40), turns: random.next(below: 30), event: .stall(pair.0, pair.1, time)),
      .init(pause: random.next(below: 4), turns: random.next(below: 30), event: event),
      .init(pause: time, turns: 0, event: .wrongEdit),
    ]
  }

  /// At times answers are late on purpose: some experts are on two nodes, the others on a third one alone, and both the
  /// first and, for longer, the third are not heard of for a while. The rows of the first are sent to the second, and
  /// its own answer comes when theirs has been taken, while the exchange still waits for the third.
  mutating func hedging(latency: Int) -> [ElasticSchedule.Moment] {
    guard random.chance(0.3), pool.count > 2 else { return [] }
    let nodes = pool.shuffled(using: &random)
    let (host, slow, slower) = (nodes[0], nodes[1], nodes[2])
    let replica = nodes.count > 3 ? 3 : 0
    let half = spec.hyperparameters.expertCount / 2
    let shared = ExpertSet((0..<half).map { ExpertIndex($0) })
    let rest = ExpertSet((half..<spec.hyperparameters.expertCount).map { ExpertIndex($0) })
    let stage = StagePlacement(
      layers: 0..<LayerIndex(spec.hyperparameters.layerCount), host: 0,
      experts: [(1, shared), (2, rest), (replica, shared)].sorted { $0.0 < $1.0 }.map {
        ExpertHolding(node: NodeIndex($0.0), experts: $0.1)
      })
    func moment(_ pause: Int, _ event: ElasticEvent) -> ElasticSchedule.Moment {
      .init(pause: pause, turns: 0, event: event)
    }
    var moments = [moment(0, .restart)]
    for node in nodes {
      moments += [moment(0, .start(node, keepsStore: true)), moment(0, .resume(node)), moment(0, .heal(node, nil))]
      moments += nodes.filter { $0 < node }.map { moment(0, .heal(node, $0)) }
    }
    moments.append(moment(0, .edit(Placement(epoch: placement.epoch, nodes: nodes, stages: [stage]), sequences: 1)))
    // Time to bring it up, then long enough for enough answers to know what is late, but not for the jobs to end.
    moments.append(moment(1500, .wrongEdit))
    for _ in 0..<6 {
      moments.append(moment(0, .submit(request: random.next(below: requests), isDurable: true)))
    }
    moments.append(moment(latency * random.next(in: 40...140) / 1000, .wrongEdit))
    for _ in 0..<3 {
      let time = random.pick([30, 60, 100])
      moments.append(moment(latency * random.next(below: 40) / 1000, .stall(host, slow, time)))
      moments.append(moment(0, .stall(host, slower, 2 * time)))
      moments.append(moment(2 * time, .wrongEdit))
    }
    return moments
  }

  private mutating func submission() -> ElasticEvent {
    submissions += 1
    return .submit(request: random.next(below: requests), isDurable: random.chance(0.75))
  }

  private mutating func events() -> [ElasticEvent] {
    let node = random.pick(pool)
    let other = random.next(below: 3) == 0 ? nil : random.pick(pool.filter { $0 != node })
    switch random.next(below: 20) {
    case 0...5:
      placement = placement.edited(random: &random, spec: spec, pool: pool)
      return [.edit(placement, sequences: random.next(in: 1...4))]
    case 6: return [.wrongEdit]
    case 7, 8: return [.kill(node), .start(node, keepsStore: random.chance(0.7))]
    case 9: return [.kill(node)]
    case 10: return [.start(node, keepsStore: random.chance(0.7))]
    case 11: return random.chance(0.5) ? [.hang(node)] : [.hang(node), .resume(node)]
    case 12: return [.cut(node, other)]
    case 13: return [.part(node, other)]
    case 14: return [.part(node, other), .heal(node, other)]
    case 15, 16: return [.stall(node, other, random.pick([20, 100, 400, 3000]))]
    case 17: return [.crash(keep: random.chance(0.5) ? UInt8(random.next(below: 256)) : nil), .restart]
    case 18: return [.crash(keep: nil)]
    default: return [.cancel(submission: random.next(below: max(1, submissions)))]
    }
  }
}

import ShardStore
import Tensors

/// Keeps pieces in the store, there already or still to come, for as long as it lives.
final class StorePins: Sendable {
  private let store: ShardStore
  private let digests: [Digest]

  init(_ digests: [Digest], in store: ShardStore) {
    self.store = store
    self.digests = digests
    store.pin(digests)
  }

  deinit { store.unpin(digests) }
}

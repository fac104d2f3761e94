/// What the products of all instruction sets share.
///
/// There are two ways to a product, with the same bits (integers are exact, and the float steps are the same):
/// - ROWS, for few activation rows: weights are read row after row, as they lie in memory. The integers of each block
///   are left in several lanes; once a tile of rows is through, lanes are summed for all its rows together, and the
///   floats of the tile are in the lanes of one vector.
/// - PANELS, for many: a block of each of 8 or 16 rows is laid side by side, 4 codes of one row in each 32-bit lane, so
///   that sums, scales and floats stay in the lanes of their rows, for all activation rows.
/// Weights that lie side by side in memory already have products of their own: quant_panels.h.
#ifndef QUANT_PRODUCT_H
#define QUANT_PRODUCT_H

#include "quant_blocks.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define PREFETCH_BYTES 6144
#define MIN(a, b) ((a) < (b) ? (a) : (b))

/// `ck_multiply_<type>_<level>`: some sources are compiled for more than one level of an instruction set.
#define NAME_AT(name, level) NAME_OF(name, level)
#define NAME_OF(name, level) ck_multiply_##name##_##level

/// The arguments of `ck_multiply`, to hand them on.
typedef struct {
  const uint8_t *weights;
  size_t weight_row_bytes, weight_rows;
  const char *activations;
  size_t activation_stride, activation_rows, elements;
  float *output;
  size_t output_stride;
} product;

#define PRODUCT_OF_ARGUMENTS                                                                                         \
  ((product){weights, weight_row_bytes, weight_rows, activations, activation_stride, activation_rows, elements,     \
             output, output_stride})

/// Pointers to `count` weight rows from `first` on; behind the last row, that row again.
INLINE void rows_from(const product *p, size_t first, int count, const uint8_t **rows) {
  UNROLL for (int r = 0; r < count; r++)
    rows[r] = p->weights + MIN(first + (size_t)r, p->weight_rows - 1) * p->weight_row_bytes;
}

/// A stretch of a weight row, of which a tile takes one after the other.
typedef struct {
  const uint8_t *start;
  /// How far ahead weights are asked for: not past the next stretch, if that is elsewhere.
  size_t ahead;
  /// From here on, weights so far ahead belong to the next stretch, `jump` bytes (modulo 2^64) behind this one's end.
  uintptr_t turn, jump;
} stretch;

/// Where `blocks` blocks from number `block` on are, of row `first + r` of the tile of `rows` rows from `first` on.
INLINE stretch stretch_of_row(const product *p, size_t first, size_t r, size_t rows, size_t block, size_t blocks,
                              size_t row_blocks, size_t block_bytes) {
  const uint8_t *tile = p->weights + first * p->weight_row_bytes, *row = tile + r * p->weight_row_bytes;
  const uint8_t *start = row + block * block_bytes, *end = start + blocks * block_bytes;
  const uint8_t *next = start + p->weight_row_bytes;
  if (r + 1 == rows)
    next = block + blocks < row_blocks ? tile + (block + blocks) * block_bytes : row + p->weight_row_bytes;
  if (next == end) return (stretch){start, PREFETCH_BYTES, UINTPTR_MAX, 0};
  const size_t ahead = MIN(PREFETCH_BYTES, blocks * block_bytes);
  return (stretch){start, ahead, (uintptr_t)end - ahead, (uintptr_t)next - (uintptr_t)end};
}

/// Asks for weights that will be read some time after `bytes` bytes at `block`, which goes past the pages, pauses and
/// jumps that stop the CPU from doing so.
INLINE void prefetch_behind(const stretch *stretch, const uint8_t *block, size_t bytes) {
  uintptr_t ahead = (uintptr_t)block + stretch->ahead;
  if (__builtin_expect((uintptr_t)block >= stretch->turn, 0)) ahead += stretch->jump;
  UNROLL for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)(ahead + i), 0, 2);
}

#endif

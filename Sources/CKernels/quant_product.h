/// What the products of all instruction sets share.
///
/// There are two ways to a product, with the same bits (integers are exact, and the float steps are the same):
/// - ROWS, for few activation rows: weights are read row after row, as they lie in memory. The integers of each block
///   are left in several lanes; once a tile of rows is through, lanes are summed for all its rows together, and the
///   floats of the tile are in the lanes of one vector.
/// - PANELS, for many: a block of each of 8 or 16 rows is laid side by side, 4 codes of one row in each 32-bit lane, so
///   that sums, scales and floats stay in the lanes of their rows, for all activation rows.
#ifndef QUANT_PRODUCT_H
#define QUANT_PRODUCT_H

#include "quant_blocks.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")
#define PREFETCH_BYTES 4096
#define MIN(a, b) ((a) < (b) ? (a) : (b))

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

/// Asks for weights ahead of a block, which goes past the pages and pauses that stop the CPU from doing so.
INLINE void prefetch_behind(const uint8_t *block, size_t bytes) {
  const uintptr_t ahead = (uintptr_t)block + PREFETCH_BYTES;
  UNROLL for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const void *)(ahead + i), 0, 3);
}

#endif

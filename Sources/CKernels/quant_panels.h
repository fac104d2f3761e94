/// Weights laid side by side in memory: panels of 16 rows (`ck_interleave`), of which kernels take one lane a row.
///
/// A block of a panel is one block of each of 16 rows. Of its parts, the few bytes behind the rows' 4-byte units stand
/// first, row after row; then the units, unit u of row r in lane r of a vector, in the order of `place_of_unit`; last
/// the few bytes before the units. So nothing needs to be summed across lanes, and kernels read a panel as plain vectors
/// from front to back. The order matters: the core's own prefetching follows it up to the speed of plain reads (one core
/// of Zen 4: 32 GB/s), but not where the end of a large block is read first or two of its parts in turn (10 GB/s). Blocks
/// of a few lines, and Q2_K with its scale in the last of 21, are as fast as they are.
#ifndef QUANT_PANELS_H
#define QUANT_PANELS_H

#include "quant_product.h"

#define PANEL_WEIGHT_ROWS 16

/// Bytes of a block that stand before its 4-byte units, and the number of these.
#define LEAD_OF(bytes) ((bytes) == 17 ? 1 : (bytes) == 18 || (bytes) == 22 || (bytes) == 34 ? 2 : 0)
#define UNITS_OF(bytes) (((bytes) - LEAD_OF(bytes)) / 4)

/// Bytes of a block that stand behind its 4-byte units.
#define TRAIL_OF(bytes) ((bytes) - LEAD_OF(bytes) - 4 * UNITS_OF(bytes))

// Where the units of some types stand: what comes from two parts of a block for the same weights stands side by side.
// `g` counts units of 4 low codes from a block's first on.

/// Q3_K: scales, then masks beside the first half's codes.
#define MASKS_OF_Q3K(g) (3 + 2 * (g))
#define CODES_OF_Q3K(g) ((g) < 8 ? 4 + 2 * (g) : 11 + (g))
/// Q5_K: scale, minimum and the like, then fifth bits beside the first codes.
#define FIFTHS_OF_Q5K(g) (4 + 2 * (g))
#define CODES_OF_Q5K(g) ((g) < 8 ? 5 + 2 * (g) : 12 + (g))
/// Q6_K: scales, then upper bits, beside the lower ones of the codes from `g` on and of those 32 codes later.
#define UPPERS_OF_Q6K(g) (4 + 3 * (g))
#define LOWERS_OF_Q6K(g, later) (5 + 3 * (g) + (later))

/// The units of a block in a panel, where bytes stand before them.
INLINE const uint8_t *units_of_q3k(const uint8_t *block) {
  return block + TRAIL_OF(sizeof(block_q3k)) * PANEL_WEIGHT_ROWS;
}
INLINE const uint8_t *units_of_q6k(const uint8_t *block) {
  return block + TRAIL_OF(sizeof(block_q6k)) * PANEL_WEIGHT_ROWS;
}

/// The place of unit `number` of a block among its units in a panel.
INLINE size_t place_of_unit(size_t block_bytes, size_t number) {
  switch (block_bytes) {
  case sizeof(block_q3k):
    return number >= 24 ? number - 24 : number < 8 ? MASKS_OF_Q3K(number) : CODES_OF_Q3K(number - 8);
  case sizeof(block_q5k):
    return number < 4 ? number : number < 12 ? FIFTHS_OF_Q5K(number - 4) : CODES_OF_Q5K(number - 12);
  case sizeof(block_q6k):
    if (number >= 48) return number - 48;
    return number >= 32 ? UPPERS_OF_Q6K(number - 32)
                        : LOWERS_OF_Q6K(number / 16 * 8 + number % 8, number / 8 % 2);
  default: return number;
  }
}

/// How far ahead of their use weights are asked for.
#define PANEL_AHEAD 8192

/// With so many activation rows at once, a core takes so long for a block that its own prefetching does not reach far
/// enough ahead, and asking for weights is up to twice as fast. With fewer it only disturbs (one row: 23 instead of
/// 32 GB/s), and so it does where AVX-512 takes blocks apart for 32 rows and more.
#define NEEDS_ASKING(activation_rows) ((activation_rows) > 2)

/// Asks for part `part` of `parts` of `bytes` bytes of weights that will be read some time later. To be called between
/// computations: a core waits when it has asked for too much at once.
INLINE void prefetch_panel(const uint8_t *block, size_t bytes, size_t part, size_t parts) {
  const size_t share = (bytes / 64 + parts) / parts;
  UNROLL for (size_t i = 0; i < share; i++)
    __builtin_prefetch(block + PANEL_AHEAD + 64 * (part * share + i), 0, 2);
}

#endif

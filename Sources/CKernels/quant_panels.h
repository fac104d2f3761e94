/// Weights laid side by side in memory: panels of 16 rows (`ck_interleave`), of which kernels take one lane a row.
///
/// A block of a panel is one block of each of 16 rows. The 4-byte units of the blocks stand first, unit u of row r in
/// lane r of vector u; the few bytes before or behind a block's units follow, row after row. So a panel is read from
/// front to back as plain vectors, and nothing needs to be summed across lanes.
#ifndef QUANT_PANELS_H
#define QUANT_PANELS_H

#include "quant_product.h"

#define PANEL_WEIGHT_ROWS 16

/// Bytes of a block that stand before its 4-byte units, and the number of these.
#define LEAD_OF(bytes) ((bytes) == 17 ? 1 : (bytes) == 18 || (bytes) == 22 || (bytes) == 34 ? 2 : 0)
#define UNITS_OF(bytes) (((bytes) - LEAD_OF(bytes)) / 4)

/// How far ahead of their use weights are asked for.
#define PANEL_AHEAD 8192

/// Asks for part `part` of `parts` of `bytes` bytes of weights that will be read some time later. To be called between
/// computations: a core waits when it has asked for too much at once.
INLINE void prefetch_panel(const uint8_t *block, size_t bytes, size_t part, size_t parts) {
  const size_t share = (bytes / 64 + parts) / parts;
  UNROLL for (size_t i = 0; i < share; i++)
    __builtin_prefetch(block + PANEL_AHEAD + 64 * (part * share + i), 0, 2);
}

#endif

#include "quant_panels.h"

/// Some of a panel's rows, one after the other elsewhere, and in which direction they are copied.
typedef struct {
  uint8_t *rows;
  size_t row_bytes, first, count;
  bool interleaves;
} exchange;

/// Copies `size` bytes of each of the rows, at `offset` of them and row after row in the panel.
INLINE void copy_part(const exchange *x, size_t offset, uint8_t *panel, size_t size) {
  for (size_t r = 0; r < x->count; r++) {
    uint8_t *row = x->rows + r * x->row_bytes + offset, *lane = panel + (x->first + r) * size;
    if (x->interleaves)
      memcpy(lane, row, size);
    else
      memcpy(row, lane, size);
  }
}

INLINE void copy_rows(exchange x, size_t block_bytes, uint8_t *panel) {
  const size_t lead = LEAD_OF(block_bytes), units = UNITS_OF(block_bytes), trail = TRAIL_OF(block_bytes);
  for (size_t b = 0; b < x.row_bytes / block_bytes; b++, x.rows += block_bytes) {
    copy_part(&x, lead + 4 * units, panel, trail);
    panel += trail * PANEL_WEIGHT_ROWS;
    for (size_t u = 0; u < units; u++)
      copy_part(&x, lead + 4 * u, panel + 4 * PANEL_WEIGHT_ROWS * place_of_unit(block_bytes, u), 4);
    panel += 4 * units * PANEL_WEIGHT_ROWS;
    copy_part(&x, 0, panel, lead);
    panel += lead * PANEL_WEIGHT_ROWS;
  }
}

void ck_interleave(const void *rows, size_t row_bytes, size_t block_bytes, void *panel) {
  copy_rows((exchange){(uint8_t *)rows, row_bytes, 0, PANEL_WEIGHT_ROWS, true}, block_bytes, panel);
}

void ck_separate(const void *panel, size_t row_bytes, size_t block_bytes, void *rows) {
  copy_rows((exchange){rows, row_bytes, 0, PANEL_WEIGHT_ROWS, false}, block_bytes, (uint8_t *)panel);
}

void ck_separate_row(const void *panel, size_t row_bytes, size_t block_bytes, size_t row, void *target) {
  copy_rows((exchange){target, row_bytes, row, 1, false}, block_bytes, (uint8_t *)panel);
}

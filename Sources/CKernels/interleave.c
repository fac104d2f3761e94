#include "quant_panels.h"

/// Copies `size` bytes of each of 16 rows, in the one direction or the other.
INLINE void exchange(uint8_t *rows, size_t row_bytes, uint8_t *panel, size_t size, bool interleaves) {
  for (size_t r = 0; r < PANEL_WEIGHT_ROWS; r++) {
    if (interleaves)
      memcpy(panel + r * size, rows + r * row_bytes, size);
    else
      memcpy(rows + r * row_bytes, panel + r * size, size);
  }
}

INLINE void exchange_rows(uint8_t *rows, size_t row_bytes, size_t block_bytes, uint8_t *panel, bool interleaves) {
  const size_t lead = LEAD_OF(block_bytes), units = UNITS_OF(block_bytes), trail = TRAIL_OF(block_bytes);
  for (size_t b = 0; b < row_bytes / block_bytes; b++, rows += block_bytes) {
    exchange(rows + lead + 4 * units, row_bytes, panel, trail, interleaves);
    panel += trail * PANEL_WEIGHT_ROWS;
    for (size_t u = 0; u < units; u++) {
      uint8_t *lanes = panel + 4 * PANEL_WEIGHT_ROWS * place_of_unit(block_bytes, u);
      exchange(rows + lead + 4 * u, row_bytes, lanes, 4, interleaves);
    }
    panel += 4 * units * PANEL_WEIGHT_ROWS;
    exchange(rows, row_bytes, panel, lead, interleaves);
    panel += lead * PANEL_WEIGHT_ROWS;
  }
}

void ck_interleave(const void *rows, size_t row_bytes, size_t block_bytes, void *panel) {
  exchange_rows((uint8_t *)rows, row_bytes, block_bytes, panel, true);
}

void ck_separate(const void *panel, size_t row_bytes, size_t block_bytes, void *rows) {
  exchange_rows(rows, row_bytes, block_bytes, (uint8_t *)panel, false);
}

void ck_separate_row(const void *panel, size_t row_bytes, size_t block_bytes, size_t row, void *target) {
  const size_t lead = LEAD_OF(block_bytes), units = UNITS_OF(block_bytes), trail = TRAIL_OF(block_bytes);
  const uint8_t *block = panel;
  uint8_t *output = target;
  for (size_t b = 0; b < row_bytes / block_bytes; b++, output += block_bytes) {
    memcpy(output + lead + 4 * units, block + row * trail, trail);
    block += trail * PANEL_WEIGHT_ROWS;
    for (size_t u = 0; u < units; u++)
      memcpy(output + lead + 4 * u, block + 4 * (place_of_unit(block_bytes, u) * PANEL_WEIGHT_ROWS + row), 4);
    block += 4 * units * PANEL_WEIGHT_ROWS;
    memcpy(output, block + row * lead, lead);
    block += lead * PANEL_WEIGHT_ROWS;
  }
}

/// Quantized products for NEON, for any type. Included after the target attribute is pushed.
#ifndef QUANT_PRODUCT_NEON_H
#define QUANT_PRODUCT_NEON_H

#include "quant_neon.h"

/// What a type of block must provide. Blocks have 32 or 256 codes; those of 32 have no sub-scales.
typedef struct {
  /// The codes in order, signed, `offset` above their values.
  void (*codes)(const uint8_t *block, int8x16_t *codes);
  /// 16 int16, one for each 16 codes; NULL for types without.
  int16_16 (*sub_scales)(const uint8_t *block);
  /// Likewise; NULL for types without.
  int16_16 (*sub_minimums)(const uint8_t *block);
  /// 16 bits of scale, and in the upper half the float16 minimum.
  uint32_t (*factors)(const uint8_t *block);
  /// The scales in the low halves of lanes.
  float32x4_t (*scales)(uint32x4_t factors);
  size_t block_bytes;
  /// Codes of a block, and codes that share a sub-scale: 16 or 32.
  int elements, sub_block;
  /// There is a minimum without sub-minimums, which is added to weights; sub-minimums are taken off.
  bool adds_minimum;
  /// Only for types with sub-scales.
  int offset;
} quant_type;

/// Adds (scale * activation scale) * total of 4 rows to their sums, then what the minimum adds.
INLINE float32x4_t add_block(const quant_type *type, float32x4_t sum, int32x4_t total, int32x4_t minimum_total,
                             float32x4_t scale, float32x4_t minimum, float activation_scale) {
  sum = vfmaq_f32(sum, vmulq_n_f32(scale, activation_scale), vcvtq_f32_s32(total));
  const float32x4_t factor = vmulq_n_f32(minimum, activation_scale);
  if (type->adds_minimum) return vfmaq_f32(sum, factor, vcvtq_f32_s32(minimum_total));
  if (type->sub_minimums) return vfmsq_f32(sum, factor, vcvtq_f32_s32(minimum_total));
  return sum;
}

/// The float16 minimums of 4 blocks, if the type has any.
INLINE float32x4_t load_minimums(const quant_type *type, uint32x4_t factors) {
  return type->adds_minimum || type->sub_minimums ? floats_of_upper_halves(factors) : vdupq_n_f32(0);
}

// Rows

#define TILE_ROWS 4
#define TILE_BLOCKS 64

/// The integers of some blocks of a tile, each as lanes that are yet to be summed.
typedef struct {
  int32x4_t totals[TILE_BLOCKS][TILE_ROWS];
  int32x4_t minimum_totals[TILE_BLOCKS][TILE_ROWS];
  uint32_t factors[TILE_BLOCKS][TILE_ROWS];
} tile;

/// Integers of one block: returns those of the codes.
INLINE int32x4_t multiply_block(const quant_type *type, const uint8_t *block, const int8_t *activations,
                                const int16_t *sums, int32x4_t *minimum_total) {
  int8x16_t codes[16];
  type->codes(block, codes);
  int32x4_t total = vdupq_n_s32(0);
  if (!type->sub_scales) {
    UNROLL for (int i = 0; i < type->elements / 16; i++)
      total = add_dot(total, codes[i], load_16(activations + 16 * i));
    return total;
  }
  const int16_16 sub_scales = type->sub_scales(block);
  const int each = type->sub_block / 16;
  UNROLL for (int j = 0; j < 16; j += each) {
    int32x4_t dot = vdupq_n_s32(0);
    UNROLL for (int i = j; i < j + each; i++) dot = add_dot(dot, codes[i], load_16(activations + 16 * i));
    total = vmlaq_n_s32(total, dot, sub_scales.v[j / 8][j % 8]);
  }
  if (type->offset) total = vmlsq_n_s32(total, multiply_sums(sub_scales, load_16_sums(sums)), type->offset);
  if (type->sub_minimums) *minimum_total = multiply_sums(type->sub_minimums(block), load_16_sums(sums));
  return total;
}

/// Fills a tile with `blocks` blocks from `start` on of up to 4 weight rows.
INLINE void fill_tile(const quant_type *type, const product *p, activation_row activation, size_t first, size_t start,
                      size_t blocks, tile *tile) {
  const size_t rows = MIN(p->weight_rows - first, TILE_ROWS), bytes = type->block_bytes, n = (size_t)type->elements;
  for (size_t r = 0; r < rows; r++) {
    const stretch stretch = stretch_of_row(p, first, r, rows, start, blocks, p->elements / n, bytes);
    const uint8_t *block = stretch.start;
    for (size_t b = 0; b < blocks; b++, block += bytes) {
      prefetch_behind(&stretch, block, bytes);
      tile->totals[b][r] = multiply_block(type, block, activation.elements + n * (start + b),
                                          activation.sums + n / 16 * (start + b), &tile->minimum_totals[b][r]);
      tile->factors[b][r] = type->factors(block);
    }
  }
}

/// The floats of a filled tile, in order of blocks; sums and scales of the activations begin with the tile.
INLINE float32x4_t add_tile(const quant_type *type, const tile *tile, const int16_t *activation_sums,
                            const float *activation_scales, size_t blocks, float32x4_t sum) {
  for (size_t b = 0; b < blocks; b++) {
    const uint32x4_t factors = vld1q_u32(tile->factors[b]);
    int32x4_t minimum_total = vdupq_n_s32(0);
    if (type->adds_minimum) minimum_total = vdupq_n_s32(activation_sums[2 * b] + activation_sums[2 * b + 1]);
    if (type->sub_minimums) minimum_total = sum_lanes(tile->minimum_totals[b]);
    sum = add_block(type, sum, sum_lanes(tile->totals[b]), minimum_total, type->scales(factors),
                    load_minimums(type, factors), activation_scales[b]);
  }
  return sum;
}

INLINE void multiply_rows(const quant_type *type, const product *p) {
  tile space;
  const size_t n = (size_t)type->elements;
  if (p->weight_rows % TILE_ROWS) { // Lanes without a row are computed, not stored.
    const size_t blocks = MIN(p->elements / n, TILE_BLOCKS);
    memset(space.totals, 0, blocks * sizeof *space.totals);
    memset(space.minimum_totals, 0, blocks * sizeof *space.minimum_totals);
    memset(space.factors, 0, blocks * sizeof *space.factors);
  }
  for (size_t first = 0; first < p->weight_rows; first += TILE_ROWS) {
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, n);
      float32x4_t sum = vdupq_n_f32(0);
      for (size_t start = 0; start < p->elements / n; start += TILE_BLOCKS) {
        const size_t blocks = MIN(p->elements / n - start, TILE_BLOCKS);
        fill_tile(type, p, activation, first, start, blocks, &space);
        sum = add_tile(type, &space, activation.sums + n / 16 * start, activation.scales + start, blocks, sum);
      }
      store_rows(p, p->output + a * p->output_stride, first, sum);
    }
  }
}

// Panels

#define PANEL_ROWS 8

/// 256 elements of 8 weight rows, side by side; those of rows 0 to 3 and those of rows 4 to 7.
typedef struct {
  int8x16_t codes[16][2][4]; // 16 codes of each of 4 rows
  int32x4_t sub_scales[16][2][FACTOR_KINDS];
  int16x8_t sum_factors[16]; // sub-minimums, or else sub-scales, of all 8 rows
  float32x4_t scale[8][2], minimum[8][2];
} panel;

/// Lays a block of 8 rows side by side, as number `b` of the panel.
INLINE void lay(const quant_type *type, const uint8_t *const blocks[PANEL_ROWS], size_t b, panel *panel) {
  const int sixteens = type->elements / 16;
  int8x16_t codes[PANEL_ROWS][16];
  int16_16 sub_scales[PANEL_ROWS], sub_minimums[PANEL_ROWS];
  uint32_t factors[PANEL_ROWS];
  for (int r = 0; r < PANEL_ROWS; r++) {
    type->codes(blocks[r], codes[r]);
    factors[r] = type->factors(blocks[r]);
    if (type->sub_scales) sub_scales[r] = type->sub_scales(blocks[r]);
    if (type->sub_minimums) sub_minimums[r] = type->sub_minimums(blocks[r]);
  }
  for (int half = 0; half < 2; half++) {
    const int8x16_t(*rows)[16] = codes + 4 * half;
    for (int i = 0; i < sixteens; i++) {
      const int8x16_t four[4] = {rows[0][i], rows[1][i], rows[2][i], rows[3][i]};
      lay_codes(four, panel->codes[(int)b * sixteens + i][half]);
    }
    const uint32x4_t both = vld1q_u32(factors + 4 * half);
    panel->scale[b][half] = type->scales(both);
    panel->minimum[b][half] = load_minimums(type, both);
  }
  if (!type->sub_scales) return;
  for (int part = 0; part < 2; part++) {
    int16x8_t rows[PANEL_ROWS], columns[8];
    UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] = sub_scales[r].v[part];
    transpose_8(rows, columns);
    UNROLL for (int j = 0; j < 8; j++) {
      panel->sum_factors[8 * part + j] = columns[j];
      lay_factors(vmovl_s16(vget_low_s16(columns[j])), panel->sub_scales[8 * part + j][0]);
      lay_factors(vmovl_high_s16(columns[j]), panel->sub_scales[8 * part + j][1]);
    }
    if (type->sub_minimums) {
      UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] = sub_minimums[r].v[part];
      transpose_8(rows, panel->sum_factors + 8 * part);
    }
  }
}

/// Integers of block `b` of the panel with the elements from `offset` on of `count` activation rows.
INLINE void multiply_panel(const quant_type *type, const panel *panel, int b, const int8_t *const rows[4],
                           size_t offset, int count, int32x4_t totals[2][4]) {
  const int each = type->sub_block / 16;
  UNROLL for (int half = 0; half < 2; half++)
    UNROLL for (int i = 0; i < count; i++) totals[half][i] = vdupq_n_s32(0);
  for (int j = 0; j < type->elements / 16; j += each) {
    int32x4_t dots[2][4];
    UNROLL for (int half = 0; half < 2; half++)
      UNROLL for (int i = 0; i < count; i++) dots[half][i] = vdupq_n_s32(0);
    UNROLL for (int i = 0; i < each; i++) {
      int8x16_t activations[4];
      load_activations(rows, offset + 16 * (size_t)(j + i), count, activations);
      UNROLL for (int half = 0; half < 2; half++)
        add_products(panel->codes[b * type->elements / 16 + j + i][half], activations, count, dots[half]);
    }
    UNROLL for (int half = 0; half < 2; half++)
      UNROLL for (int i = 0; i < count; i++)
        totals[half][i] = type->sub_scales
                              ? vmlaq_s32(totals[half][i], dots[half][i], panel->sub_scales[j][half][i % FACTOR_KINDS])
                              : dots[half][i];
  }
  order_products(count, totals[0]);
  order_products(count, totals[1]);
}

/// The sums of 16 activations times the panel's factors for them, of 8 rows.
INLINE void multiply_panel_sums(const panel *panel, const int16_t *activation_sums, int32x4_t total[2]) {
  const int16_16 sums = load_16_sums(activation_sums);
  total[0] = total[1] = vdupq_n_s32(0);
  UNROLL for (int j = 0; j < 16; j++) {
    total[0] = vmlal_n_s16(total[0], vget_low_s16(panel->sum_factors[j]), sums.v[j / 8][j % 8]);
    total[1] = vmlal_high_n_s16(total[1], panel->sum_factors[j], sums.v[j / 8][j % 8]);
  }
}

/// Adds `blocks` blocks of the panel's rows times `count` activation rows to the output. Of activation rows that stand
/// there twice, both do the same.
INLINE void add_panel(const quant_type *type, const product *p, const panel *panel, size_t first, const size_t at[4],
                      int count, size_t start, size_t blocks) {
  const size_t n = (size_t)type->elements;
  activation_row activations[4];
  const int8_t *elements[4];
  float *outputs[4];
  float32x4_t sums[4][2];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + at[i] * p->activation_stride, p->elements, n);
    elements[i] = activations[i].elements;
    outputs[i] = p->output + at[i] * p->output_stride;
    UNROLL for (size_t half = 0; half < 2; half++)
      sums[i][half] = start == 0 ? vdupq_n_f32(0) : load_rows(p, outputs[i], first + 4 * half);
  }
  for (size_t b = 0; b < blocks; b++) {
    int32x4_t totals[2][4];
    multiply_panel(type, panel, (int)b, elements, n * (start + b), count, totals);
    UNROLL for (int i = 0; i < count; i++) {
      const int16_t *activation_sums = activations[i].sums + n / 16 * (start + b);
      int32x4_t sum_total[2];
      if (type->adds_minimum) sum_total[0] = sum_total[1] = vdupq_n_s32(activation_sums[0] + activation_sums[1]);
      if (type->sub_minimums || type->offset) multiply_panel_sums(panel, activation_sums, sum_total);
      UNROLL for (int half = 0; half < 2; half++) {
        if (type->offset) totals[half][i] = vmlsq_n_s32(totals[half][i], sum_total[half], type->offset);
        sums[i][half] = add_block(type, sums[i][half], totals[half][i], sum_total[half], panel->scale[b][half],
                                  panel->minimum[b][half], activations[i].scales[start + b]);
      }
    }
  }
  UNROLL for (int i = 0; i < count; i++)
    UNROLL for (size_t half = 0; half < 2; half++)
      store_rows(p, outputs[i], first + 4 * half, sums[i][half]);
}

/// Many activation rows: 256 elements of 8 weight rows are laid out once and meet all of them.
INLINE void multiply_panels(const quant_type *type, const product *p) {
  panel space;
  const uint8_t *rows[PANEL_ROWS];
  const size_t n = (size_t)type->elements, last = p->activation_rows - 1;
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, PANEL_ROWS, rows);
    for (size_t start = 0; start < p->elements / n; start += 256 / n) {
      const size_t blocks = MIN(p->elements / n - start, 256 / n);
      for (size_t b = 0; b < blocks; b++) {
        lay(type, rows, b, &space);
        UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] += type->block_bytes;
      }
      for (size_t a = 0; a <= last; a += 4) {
        const size_t at[4] = {a, MIN(a + 1, last), MIN(a + 2, last), MIN(a + 3, last)};
        if (last - a >= 2)
          add_panel(type, p, &space, first, at, 4, start, blocks);
        else
          add_panel(type, p, &space, first, at, 2, start, blocks);
      }
    }
  }
}

/// From this many activation rows on, panels are faster than rows.
#define PANEL_ACTIVATIONS 3

INLINE void multiply(const quant_type *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

#endif

/// Products of types with blocks of 32 for AVX-512 with VNNI, for any type. Included after the target attribute is
/// pushed.
#ifndef QUANT_32_AVX512_H
#define QUANT_32_AVX512_H

#include "quant_avx512.h"

/// What a type of block must provide.
typedef struct {
  /// 32 codes of each of two blocks, in order, as unsigned bytes.
  __m512i (*codes)(const uint8_t *low, const uint8_t *high);
  /// 16 bits of scale, and in the upper half the float16 minimum.
  uint32_t (*factors)(const uint8_t *block);
  /// The scales in the low halves of lanes.
  __m512 (*scales)(__m512i factors);
  size_t block_bytes;
  /// There is a minimum, which is added to weights.
  bool minimum;
  /// What codes are above their values.
  int offset;
} type_32;

/// `factor` * the sum of 32 activations, in all lanes; `sums` are the two sums of 16.
INLINE __m512i multiply_sums(int factor, const int16_t *sums) {
  if (!factor) return _mm512_setzero_si512();
  return _mm512_dpwssd_epi32(_mm512_setzero_si512(), _mm512_set1_epi16((short)factor), broadcast_32(sums));
}

/// Adds (scale * activation scale) * total of 16 rows to their sums, then what the minimum adds.
INLINE __m512 add_block(const type_32 *type, __m512 sum, __m512i total, __m512 scale, __m512 minimum,
                        float activation_scale, const int16_t *activation_sums) {
  const __m512 factor = _mm512_set1_ps(activation_scale);
  sum = _mm512_fmadd_ps(_mm512_mul_ps(scale, factor), _mm512_cvtepi32_ps(total), sum);
  if (!type->minimum) return sum;
  return _mm512_fmadd_ps(_mm512_mul_ps(minimum, factor), _mm512_cvtepi32_ps(multiply_sums(1, activation_sums)), sum);
}

// Rows

#define TILE_ROWS 16
#define TILE_BLOCKS 256

/// The sums of code * activation and the factors of some blocks of up to 16 rows.
typedef struct {
  int32_t totals[TILE_ROWS][TILE_BLOCKS];
  uint16_t scales[TILE_ROWS][TILE_BLOCKS];
  uint16_t minimums[TILE_ROWS][TILE_BLOCKS];
} tile;

/// Puts the factors of a block at its place in a tile.
INLINE void store_factors(const type_32 *type, const uint8_t *block, uint16_t *scale, uint16_t *minimum) {
  const uint32_t factors = type->factors(block);
  *scale = (uint16_t)factors;
  if (type->minimum) *minimum = (uint16_t)(factors >> 16);
}

/// Sums of code * activation of 8 blocks.
INLINE __m256i multiply_8_blocks(const type_32 *type, const uint8_t *block, const int8_t *activations) {
  __m512i totals[4];
  UNROLL for (int i = 0; i < 4; i++) {
    const uint8_t *low = block + (size_t)(2 * i) * type->block_bytes;
    const __m512i codes = type->codes(low, low + type->block_bytes);
    totals[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, load_512(activations + 64 * i));
  }
  // Blocks 0, 2, 4, 6 are in 128-bit parts 0 and 1, the others in parts 2 and 3.
  const __m512i parts = sum_parts(totals[0], totals[1], totals[2], totals[3]);
  const __m512i sums = _mm512_add_epi32(parts, _mm512_shuffle_i64x2(parts, parts, 0xb1));
  const __m512i order = _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 0, 8, 1, 9, 2, 10, 3, 11);
  return _mm512_castsi512_si256(_mm512_permutexvar_epi32(order, sums));
}

INLINE int32_t multiply_block(const type_32 *type, const uint8_t *block, const int8_t *activations) {
  const __m256i codes = _mm512_castsi512_si256(type->codes(block, block));
  const __m256i values = _mm256_loadu_si256((const void *)activations);
  return _mm512_reduce_add_epi32(_mm512_zextsi256_si512(_mm256_dpbusd_epi32(_mm256_setzero_si256(), codes, values)));
}

/// Fills a tile with `blocks` blocks from `start` on of `rows` weight rows.
INLINE void fill_tile(const type_32 *type, const product *p, const int8_t *activations, size_t first, size_t rows,
                      size_t start, size_t blocks, tile *tile) {
  const size_t bytes = type->block_bytes;
  for (size_t r = 0; r < rows; r++) {
    const stretch stretch = stretch_of_row(p, first, r, rows, start, blocks, p->elements / 32, bytes);
    const uint8_t *block = stretch.start;
    size_t b = 0;
    for (; b + 8 <= blocks; b += 8, block += 8 * bytes) {
      prefetch_behind(&stretch, block, 8 * bytes);
      _mm256_storeu_si256((void *)&tile->totals[r][b], multiply_8_blocks(type, block, activations + 32 * b));
      UNROLL for (size_t i = 0; i < 8; i++)
        store_factors(type, block + i * bytes, &tile->scales[r][b + i], &tile->minimums[r][b + i]);
    }
    for (; b < blocks; b++, block += bytes) {
      tile->totals[r][b] = multiply_block(type, block, activations + 32 * b);
      store_factors(type, block, &tile->scales[r][b], &tile->minimums[r][b]);
    }
  }
}

/// The 16 bits of block `i` of 8, of what `transpose_16_bytes` made of 8 blocks of 16 rows, in the low halves of lanes.
INLINE __m512i halves_of_block(const __m512i transposed[4], size_t i) {
  return _mm512_srl_epi32(transposed[i / 2], _mm_cvtsi32_si128((int)(i % 2 * 16)));
}

/// The floats of a filled tile of `rows` rows, in order of blocks. Lanes without a row get those of the first.
INLINE __m512 add_tile(const type_32 *type, const tile *tile, size_t rows, const int16_t *activation_sums,
                       const float *activation_scales, size_t blocks, __m512 sum) {
  const uint8_t *total_rows[16], *scale_rows[16], *minimum_rows[16];
  UNROLL for (size_t r = 0; r < 16; r++) {
    const size_t row = r < rows ? r : 0;
    total_rows[r] = (const void *)tile->totals[row];
    scale_rows[r] = (const void *)tile->scales[row];
    minimum_rows[r] = (const void *)tile->minimums[row];
  }
  for (size_t b = 0; b < blocks; b += 8) {
    __m512i totals[8], scales[4], minimums[4];
    transpose_16_bytes(total_rows, 4 * b, totals);
    transpose_16_bytes(total_rows, 4 * b + 16, totals + 4);
    transpose_16_bytes(scale_rows, 2 * b, scales);
    if (type->minimum) transpose_16_bytes(minimum_rows, 2 * b, minimums);
    for (size_t i = 0; i < MIN(blocks - b, 8); i++) {
      const int16_t *sums = activation_sums + 2 * (b + i);
      const __m512i total = _mm512_add_epi32(totals[i], multiply_sums(-type->offset, sums));
      const __m512 scale = type->scales(halves_of_block(scales, i));
      const __m512 minimum = type->minimum ? floats_of_halves(halves_of_block(minimums, i)) : _mm512_setzero_ps();
      sum = add_block(type, sum, total, scale, minimum, activation_scales[b + i], sums);
    }
  }
  return sum;
}

INLINE void multiply_rows(const type_32 *type, const product *p) {
  tile space;
  for (size_t first = 0; first < p->weight_rows; first += TILE_ROWS) {
    const size_t rows = MIN(p->weight_rows - first, TILE_ROWS);
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 32);
      __m512 sum = _mm512_setzero_ps();
      for (size_t start = 0; start < p->elements / 32; start += TILE_BLOCKS) {
        const size_t blocks = MIN(p->elements / 32 - start, TILE_BLOCKS);
        fill_tile(type, p, activation.elements + 32 * start, first, rows, start, blocks, &space);
        sum = add_tile(type, &space, rows, activation.sums + 2 * start, activation.scales + start, blocks, sum);
      }
      _mm512_mask_storeu_ps(p->output + a * p->output_stride + first, row_mask(p, first), sum);
    }
  }
}

// Panels

#define PANEL_BLOCKS 8

/// Up to 8 blocks of 16 weight rows, side by side; lane r is row r.
typedef struct {
  __m512i codes[PANEL_BLOCKS][8]; // 4 codes a lane
  __m512 scale[PANEL_BLOCKS], minimum[PANEL_BLOCKS];
} panel;

/// Lays `count` (1 or 2) blocks of 16 rows side by side, as number `b` and the next of the panel.
INLINE void lay(const type_32 *type, const uint8_t *const blocks[16], size_t b, int count, panel *panel) {
  __m512i codes[16];
  uint32_t factors[2][16];
  const uint8_t *rows[16];
  UNROLL for (int r = 0; r < 16; r++) {
    const uint8_t *next = blocks[r] + (size_t)(count - 1) * type->block_bytes;
    codes[r] = type->codes(blocks[r], next);
    factors[0][r] = type->factors(blocks[r]);
    factors[1][r] = type->factors(next);
    rows[r] = (const void *)&codes[r];
  }
  UNROLL for (int i = 0; i < count; i++) {
    transpose_16_bytes(rows, (size_t)(32 * i), panel->codes[b + (size_t)i]);
    transpose_16_bytes(rows, (size_t)(32 * i + 16), panel->codes[b + (size_t)i] + 4);
    panel->scale[b + (size_t)i] = type->scales(load_512(factors[i]));
    if (type->minimum)
      panel->minimum[b + (size_t)i] = floats_of_halves(_mm512_srli_epi32(load_512(factors[i]), 16));
  }
}

/// Adds `blocks` blocks of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const type_32 *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t start, size_t blocks) {
  const __mmask16 mask = row_mask(p, first);
  activation_row activations[8];
  __m512 sums[8];
  UNROLL for (int i = 0; i < count; i++) {
    const size_t row = a + (size_t)i;
    activations[i] = activation_row_at(p->activations + row * p->activation_stride, p->elements, 32);
    sums[i] = start == 0 ? _mm512_setzero_ps()
                         : _mm512_maskz_loadu_ps(mask, p->output + row * p->output_stride + first);
  }
  for (size_t b = 0; b < blocks; b++) {
    __m512i totals[8];
    UNROLL for (int i = 0; i < count; i++)
      totals[i] = multiply_sums(-type->offset, activations[i].sums + 2 * (start + b));
    UNROLL for (int g = 0; g < 8; g++) {
      const __m512i codes = panel->codes[b][g];
      UNROLL for (int i = 0; i < count; i++) {
        const int8_t *values = activations[i].elements + 32 * (start + b) + 4 * g;
        totals[i] = _mm512_dpbusd_epi32(totals[i], codes, broadcast_32(values));
      }
    }
    UNROLL for (int i = 0; i < count; i++)
      sums[i] = add_block(type, sums[i], totals[i], panel->scale[b], panel->minimum[b],
                          activations[i].scales[start + b], activations[i].sums + 2 * (start + b));
  }
  UNROLL for (int i = 0; i < count; i++)
    _mm512_mask_storeu_ps(p->output + (a + (size_t)i) * p->output_stride + first, mask, sums[i]);
}

/// Many activation rows: 8 blocks of 16 weight rows are laid out once and meet all of them.
INLINE void multiply_panels(const type_32 *type, const product *p) {
  panel space;
  const uint8_t *rows[PANEL_ROWS];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, PANEL_ROWS, rows);
    for (size_t start = 0; start < p->elements / 32; start += PANEL_BLOCKS) {
      const size_t blocks = MIN(p->elements / 32 - start, PANEL_BLOCKS);
      size_t b = 0;
      for (; b + 2 <= blocks; b += 2) {
        lay(type, rows, b, 2, &space);
        UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] += 2 * type->block_bytes;
      }
      if (b < blocks) lay(type, rows, b, 1, &space); // the last of the row
      size_t a = 0;
      for (; a + 8 <= p->activation_rows; a += 8) add_panel(type, p, &space, first, a, 8, start, blocks);
      for (; a + 2 <= p->activation_rows; a += 2) add_panel(type, p, &space, first, a, 2, start, blocks);
      for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, start, blocks);
    }
  }
}

/// From this many activation rows on, panels are faster than rows.
#define PANEL_ACTIVATIONS 2

INLINE void multiply(const type_32 *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

#endif

/// Products of K-quants (blocks of 256) for AVX-512 with VNNI, for any type. Included after the target attribute is
/// pushed.
#ifndef QUANT_K_AVX512_H
#define QUANT_K_AVX512_H

#include "quant_avx512.h"
#include "quant_k_scales.h"

/// The factors of a block of each of 16 weight rows; lane r is row r.
typedef struct {
  __m512i sub_scales[16]; // int32
  __m512i sum_factors[8]; // two int16: minimums, or else sub-scales, of the sums of 16 activations 2 i and 2 i + 1
  __m512 scale, minimum;
} panel_factors;

/// A block of each of 16 weight rows, side by side; lane r is row r.
typedef struct {
  __m512i codes[64]; // 4 codes a lane
  panel_factors factors;
} panel;

/// What a type of block must provide.
typedef struct {
  /// 256 codes in order as unsigned bytes, at most 63 if not `wide`.
  void (*codes)(const uint8_t *block, __m512i codes[4]);
  /// 16 int16, one for each 16 codes.
  __m256i (*sub_scales)(const uint8_t *block);
  /// Likewise; NULL for types without.
  __m256i (*minimums)(const uint8_t *block);
  /// Float16 scale, and float16 minimum in the upper half.
  uint32_t (*factors)(const uint8_t *block);
  /// Lays 16 blocks side by side, if there is a faster way than from the above; or NULL.
  void (*lay)(const uint8_t *const blocks[16], panel *panel);
  size_t block_bytes;
  bool wide;
  /// What codes are above their values.
  int offset;
  /// Codes that share a sub-scale: 16 or 32.
  int sub_block;
} k_type;

// Rows

#define TILE_ROWS 4
#define TILE_BLOCKS 64

/// The integers of some blocks of a tile, each as lanes that are yet to be summed.
typedef struct {
  __m512i totals[TILE_BLOCKS][TILE_ROWS];
  __m256i minimum_totals[TILE_BLOCKS][TILE_ROWS];
  uint32_t factors[TILE_BLOCKS][TILE_ROWS];
} tile;

/// The sum of sub-scale * (4 codes * activations), as lanes that are yet to be summed.
INLINE __m512i scale_dots(const __m512i dots[4], __m256i sub_scales) {
  // Sums of 4 products fit in 16 bits (4 * 63 * 127): packed, two are scaled and added by one instruction. Packing
  // leaves in 128-bit part k, and so needs the sub-scales of, 16 codes from one vector and 16 from the next.
  const long long one = 0x0001000100010001;
  const __m512i order = _mm512_setr_epi64(0, 4 * one, one, 5 * one, 2 * one, 6 * one, 3 * one, 7 * one);
  __m512i total = _mm512_setzero_si512();
  UNROLL for (int i = 0; i < 2; i++) {
    const __m512i half_order = _mm512_add_epi16(order, _mm512_set1_epi16((short)(8 * i)));
    const __m512i scales = _mm512_permutexvar_epi16(half_order, _mm512_castsi256_si512(sub_scales));
    total = _mm512_dpwssd_epi32(total, _mm512_packs_epi32(dots[2 * i], dots[2 * i + 1]), scales);
  }
  return total;
}

/// The same where sums of 4 products need more than 16 bits.
INLINE __m512i scale_wide_dots(const __m512i dots[4], __m256i sub_scales) {
  const __m512i order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  const __m512i wide = _mm512_cvtepi16_epi32(sub_scales);
  __m512i total = _mm512_setzero_si512();
  UNROLL for (int i = 0; i < 4; i++) {
    const __m512i scales = _mm512_permutexvar_epi32(_mm512_add_epi32(order, _mm512_set1_epi32(4 * i)), wide);
    total = _mm512_add_epi32(total, _mm512_mullo_epi32(dots[i], scales));
  }
  return total;
}

/// Integers of one block: `total` of the codes, `minimum_total` of the minimums.
INLINE void multiply_block(const k_type *type, const uint8_t *block, const int8_t *activations, const int16_t *sums,
                           __m512i *total, __m256i *minimum_total) {
  const __m256i sub_scales = type->sub_scales(block), loaded_sums = _mm256_loadu_si256((const void *)sums);
  __m512i codes[4], dots[4];
  type->codes(block, codes);
  UNROLL for (int i = 0; i < 4; i++)
    dots[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes[i], load_512(activations + 64 * i));
  *total = type->wide ? scale_wide_dots(dots, sub_scales) : scale_dots(dots, sub_scales);
  if (type->offset) {
    const __m256i excess = _mm256_madd_epi16(sub_scales, loaded_sums);
    const __m256i product = _mm256_mullo_epi32(excess, _mm256_set1_epi32(type->offset));
    *total = _mm512_sub_epi32(*total, _mm512_zextsi256_si512(product));
  }
  if (type->minimums) *minimum_total = _mm256_madd_epi16(type->minimums(block), loaded_sums);
}

/// Fills a tile with `blocks` blocks from `start` on of up to 4 weight rows.
INLINE void fill_tile(const k_type *type, const product *p, activation_row activation, size_t first, size_t start,
                      size_t blocks, tile *tile) {
  const size_t rows = MIN(p->weight_rows - first, TILE_ROWS);
  for (size_t r = 0; r < rows; r++) {
    const stretch stretch = stretch_of_row(p, first, r, rows, start, blocks, p->elements / 256, type->block_bytes);
    const uint8_t *block = stretch.start;
    for (size_t b = 0; b < blocks; b++, block += type->block_bytes) {
      prefetch_behind(&stretch, block, type->block_bytes);
      multiply_block(type, block, activation.elements + 256 * (start + b), activation.sums + 16 * (start + b),
                     &tile->totals[b][r], &tile->minimum_totals[b][r]);
      tile->factors[b][r] = type->factors(block);
    }
  }
}

/// The floats of a filled tile, in order of blocks.
INLINE __m128 add_tile(const k_type *type, const tile *tile, const float *activation_scales, size_t blocks,
                       __m128 sum) {
  for (size_t b = 0; b < blocks; b++) {
    const __m128 activation_scale = _mm_set1_ps(activation_scales[b]);
    __m128 scale, minimum;
    load_factors(tile->factors[b], &scale, &minimum);
    sum = _mm_fmadd_ps(_mm_mul_ps(scale, activation_scale), _mm_cvtepi32_ps(sum_lanes(tile->totals[b])), sum);
    if (type->minimums) {
      const __m128 minimum_total = _mm_cvtepi32_ps(sum_lanes_256(tile->minimum_totals[b]));
      sum = _mm_fnmadd_ps(_mm_mul_ps(minimum, activation_scale), minimum_total, sum);
    }
  }
  return sum;
}

INLINE void multiply_rows(const k_type *type, const product *p) {
  tile space;
  if (p->weight_rows % TILE_ROWS) { // Lanes without a row are computed, not stored.
    const size_t blocks = MIN(p->elements / 256, TILE_BLOCKS);
    memset(space.totals, 0, blocks * sizeof *space.totals);
    memset(space.minimum_totals, 0, blocks * sizeof *space.minimum_totals);
    memset(space.factors, 0, blocks * sizeof *space.factors);
  }
  for (size_t first = 0; first < p->weight_rows; first += TILE_ROWS) {
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 256);
      __m128 sum = _mm_setzero_ps();
      for (size_t start = 0; start < p->elements / 256; start += TILE_BLOCKS) {
        const size_t blocks = MIN(p->elements / 256 - start, TILE_BLOCKS);
        fill_tile(type, p, activation, first, start, blocks, &space);
        sum = add_tile(type, &space, activation.scales + start, blocks, sum);
      }
      _mm_mask_storeu_ps(p->output + a * p->output_stride + first, (__mmask8)(row_mask(p, first) & 15), sum);
    }
  }
}

// Panels

/// Takes 16 int16 of each of 16 rows apart: vector i gets numbers 2 i and 2 i + 1, row r in lane r.
INLINE void transpose_pairs(const __m256i values[16], __m512i out[8]) {
  const uint8_t *rows[16];
  UNROLL for (int r = 0; r < 16; r++) rows[r] = (const void *)&values[r];
  transpose_16_bytes(rows, 0, out);
  transpose_16_bytes(rows, 16, out + 4);
}

INLINE void lay(const k_type *type, const uint8_t *const blocks[16], panel *panel) {
  if (type->lay) {
    type->lay(blocks, panel);
    return;
  }
  __m512i codes[16][4], pairs[8];
  __m256i sub_scales[16], minimums[16];
  uint32_t factors[16];
  const uint8_t *rows[16];
  for (int r = 0; r < 16; r++) {
    type->codes(blocks[r], codes[r]);
    sub_scales[r] = type->sub_scales(blocks[r]);
    if (type->minimums) minimums[r] = type->minimums(blocks[r]);
    factors[r] = type->factors(blocks[r]);
    rows[r] = (const void *)codes[r];
  }
  for (int i = 0; i < 16; i++) transpose_16_bytes(rows, (size_t)(16 * i), panel->codes + 4 * i);
  transpose_pairs(sub_scales, pairs);
  if (type->sub_block == 32) {
    UNROLL for (int j = 0; j < 8; j++) panel->factors.sub_scales[j] = _mm512_srai_epi32(pairs[j], 16);
  } else {
    UNROLL for (int j = 0; j < 8; j++) {
      panel->factors.sub_scales[2 * j] = _mm512_srai_epi32(_mm512_slli_epi32(pairs[j], 16), 16);
      panel->factors.sub_scales[2 * j + 1] = _mm512_srai_epi32(pairs[j], 16);
    }
  }
  transpose_pairs(type->minimums ? minimums : sub_scales, panel->factors.sum_factors);
  const __m512i both = load_512(factors);
  panel->factors.scale = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(both));
  panel->factors.minimum = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(both, 16)));
}

/// Adds the floats of a block to those of the blocks before: of `total`, the integers of the codes, and `sums`, those of
/// the sum factors.
INLINE __m512 add_floats(const k_type *type, const panel_factors *factors, __m512i total, __m512i sums,
                         float activation_scale, __m512 sum) {
  const __m512 activation_scales = _mm512_set1_ps(activation_scale);
  if (type->offset) total = _mm512_sub_epi32(total, _mm512_mullo_epi32(sums, _mm512_set1_epi32(type->offset)));
  sum = _mm512_fmadd_ps(_mm512_mul_ps(factors->scale, activation_scales), _mm512_cvtepi32_ps(total), sum);
  if (!type->minimums) return sum;
  return _mm512_fnmadd_ps(_mm512_mul_ps(factors->minimum, activation_scales), _mm512_cvtepi32_ps(sums), sum);
}

/// Adds block `b` of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const k_type *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t b) {
  const int groups = type->sub_block / 4;
  const __mmask16 mask = row_mask(p, first);
  activation_row activations[8];
  __m512i totals[8], sums[8];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 256);
    totals[i] = sums[i] = _mm512_setzero_si512();
  }
  for (int j = 0; j < 256 / type->sub_block; j++) {
    __m512i dots[8];
    UNROLL for (int i = 0; i < count; i++) dots[i] = _mm512_setzero_si512();
    UNROLL for (int g = 0; g < groups; g++) {
      const __m512i codes = panel->codes[j * groups + g];
      UNROLL for (int i = 0; i < count; i++) {
        const int8_t *values = activations[i].elements + 256 * b + 4 * (j * groups + g);
        dots[i] = _mm512_dpbusd_epi32(dots[i], codes, broadcast_32(values));
      }
    }
    UNROLL for (int i = 0; i < count; i++)
      totals[i] = _mm512_add_epi32(totals[i], _mm512_mullo_epi32(dots[i], panel->factors.sub_scales[j]));
  }
  UNROLL for (int j = 0; j < 8; j++) {
    UNROLL for (int i = 0; i < count; i++)
      sums[i] = _mm512_dpwssd_epi32(sums[i], panel->factors.sum_factors[j], broadcast_32(activations[i].sums + 16 * b + 2 * j));
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    const __m512 sum = b == 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, output);
    _mm512_mask_storeu_ps(output, mask,
                          add_floats(type, &panel->factors, totals[i], sums[i], activations[i].scales[b], sum));
  }
}

/// Many activation rows: each block of 16 weight rows is laid out once and meets all of them.
INLINE void multiply_panels(const k_type *type, const product *p) {
  panel space;
  const uint8_t *rows[16];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, 16, rows);
    for (size_t b = 0; b < p->elements / 256; b++) {
      lay(type, rows, &space);
      UNROLL for (int r = 0; r < 16; r++) rows[r] += type->block_bytes;
      size_t a = 0;
      for (; a + 8 <= p->activation_rows; a += 8) add_panel(type, p, &space, first, a, 8, b);
      for (; a + 2 <= p->activation_rows; a += 2) add_panel(type, p, &space, first, a, 2, b);
      for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, b);
    }
  }
}

/// From this many activation rows on, panels are faster than rows.
#define PANEL_ACTIVATIONS 4

INLINE void multiply(const k_type *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

#endif

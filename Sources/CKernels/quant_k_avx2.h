/// Products of types with blocks of 256 for AVX2, for any type. Included after the target attribute is pushed.
///
/// Unsigned codes are at most 63, activations at most 127 in magnitude: a sum of two products is at most 16002, and
/// 16-bit sums neither saturate nor wrap as long as `chain` of them are added. With VNNI there are 32-bit sums of four
/// products, which are at most 32004 and fit in 16 bits too; the panels make signed codes unsigned.
#ifndef QUANT_K_AVX2_H
#define QUANT_K_AVX2_H

#include "quant_avx2.h"
#include "quant_k_scales.h"

/// What a type of block must provide.
typedef struct {
  /// 256 codes in order.
  void (*codes)(const uint8_t *block, __m256i codes[8]);
  /// 16 int16, one for each 16 codes.
  __m256i (*sub_scales)(const uint8_t *block);
  /// Likewise; NULL for types without.
  __m256i (*minimums)(const uint8_t *block);
  /// Float16 scale, and float16 minimum in the upper half.
  uint32_t (*factors)(const uint8_t *block);
  size_t block_bytes;
  /// Codes are signed; or else they are unsigned, at most 63 and `offset` above their values.
  bool has_signs;
  int offset;
  /// Codes that share a sub-scale: 16 or 32.
  int sub_block;
  /// How many sums of two products fit in 16 bits together.
  int chain;
} k_type;

/// Sums of two products in 16 bits. For signed codes the sign goes to the activation: 2 * 127 * 127 fits.
INLINE __m256i multiply_codes(const k_type *type, __m256i codes, __m256i activations) {
  if (!type->has_signs) return _mm256_maddubs_epi16(codes, activations);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(activations, codes));
}

// Rows

#define TILE_ROWS 4
#define TILE_BLOCKS 64

/// The integers of some blocks of a tile, each as lanes that are yet to be summed.
typedef struct {
  __m256i totals[TILE_BLOCKS][TILE_ROWS];
  __m256i minimum_totals[TILE_BLOCKS][TILE_ROWS];
  uint32_t factors[TILE_BLOCKS][TILE_ROWS];
} tile;

/// Picks sub-scales of 8: for the first 128-bit part a and b, for the second a + 1 and b + 1, four times each.
INLINE __m256i scale_order(int a, int b) {
  const int low = 0x0101 * (2 * a) + 0x0100, high = 0x0101 * (2 * b) + 0x0100;
  return join_128(_mm_unpacklo_epi64(_mm_set1_epi16((short)low), _mm_set1_epi16((short)high)),
                  _mm_unpacklo_epi64(_mm_set1_epi16((short)(low + 0x0202)), _mm_set1_epi16((short)(high + 0x0202))));
}

/// The sum of sub-scale * (codes * activations), as lanes that are yet to be summed.
INLINE __m256i scale_codes(const k_type *type, const uint8_t *block, const int8_t *activations, __m256i sub_scales) {
  const __m256i halves[2] = {_mm256_permute4x64_epi64(sub_scales, 0x44), _mm256_permute4x64_epi64(sub_scales, 0xee)};
  __m256i codes[8], total = _mm256_setzero_si256();
  type->codes(block, codes);
#if CK_VNNI
  if (!type->has_signs) {
    UNROLL for (int i = 0; i < 8; i += 2) {
      __m256i dots[2];
      UNROLL for (int k = 0; k < 2; k++)
        dots[k] = DOT_BYTES(_mm256_setzero_si256(), codes[i + k], load_256(activations + 32 * (i + k)));
      // Packing leaves 16 codes of one vector and 16 of the next in each 128-bit part.
      const __m256i order = scale_order(2 * i % 8, 2 * i % 8 + 2);
      total = DOT_PAIRS(total, _mm256_packs_epi32(dots[0], dots[1]), _mm256_shuffle_epi8(halves[i / 4], order));
    }
    return total;
  }
#endif
  UNROLL for (int i = 0; i < 8; i++) {
    const __m256i order = scale_order(2 * i % 8, 2 * i % 8);
    const __m256i dot = multiply_codes(type, codes[i], load_256(activations + 32 * i));
    total = add_pairs(total, dot, _mm256_shuffle_epi8(halves[i / 4], order));
  }
  return total;
}

/// Integers of one block: `total` of the codes, `minimum_total` of the minimums.
INLINE void multiply_block(const k_type *type, const uint8_t *block, const int8_t *activations, const int16_t *sums,
                           __m256i *total, __m256i *minimum_total) {
  const __m256i sub_scales = type->sub_scales(block);
  *total = scale_codes(type, block, activations, sub_scales);
  if (type->offset) {
    const __m256i excess = _mm256_madd_epi16(sub_scales, load_256(sums));
    *total = _mm256_sub_epi32(*total, _mm256_mullo_epi32(excess, _mm256_set1_epi32(type->offset)));
  }
  if (type->minimums) *minimum_total = _mm256_madd_epi16(type->minimums(block), load_256(sums));
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
      const __m128 minimum_total = _mm_cvtepi32_ps(sum_lanes(tile->minimum_totals[b]));
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
      _mm_maskstore_ps(p->output + a * p->output_stride + first, _mm256_castsi256_si128(row_mask(p, first)), sum);
    }
  }
}

// Panels

/// A block of each of 8 weight rows, side by side; lane r is row r.
typedef struct {
  __m256i codes[64];      // 4 codes a lane
  __m256i sub_scales[16]; // two int16, both the sub-scale; with VNNI int32
  __m256i sum_factors[8]; // two int16: minimums, or else sub-scales, of the sums of 16 activations 2 i and 2 i + 1
  __m256 scale, minimum;
} panel;

/// Takes 16 int16 of each of 8 rows apart: vector i gets numbers 2 i and 2 i + 1, row r in lane r.
INLINE void transpose_pairs(const __m256i values[8], __m256i out[8]) {
  const uint8_t *rows[8];
  UNROLL for (int r = 0; r < 8; r++) rows[r] = (const void *)&values[r];
  transpose_16_bytes(rows, 0, out);
  transpose_16_bytes(rows, 16, out + 4);
}

/// From pairs of sub-scales, of each 16 codes.
INLINE void lay_sub_scales(const k_type *type, const __m256i pairs[8], __m256i out[16]) {
  UNROLL for (int j = 0; j < 8; j++) {
#if CK_VNNI
    const __m256i first = _mm256_srai_epi32(_mm256_slli_epi32(pairs[j], 16), 16);
    const __m256i second = _mm256_srai_epi32(pairs[j], 16);
#else
    const __m256i first = _mm256_blend_epi16(pairs[j], _mm256_slli_epi32(pairs[j], 16), 0xaa);
    const __m256i second = _mm256_blend_epi16(_mm256_srli_epi32(pairs[j], 16), pairs[j], 0xaa);
#endif
    if (type->sub_block == 32) {
      out[j] = first;
    } else {
      out[2 * j] = first;
      out[2 * j + 1] = second;
    }
  }
}

INLINE void lay(const k_type *type, const uint8_t *const blocks[8], panel *panel) {
  __m256i codes[8][8], pairs[8], sub_scales[8], minimums[8];
  uint16_t scale[8], minimum[8];
  const uint8_t *rows[8];
  for (int r = 0; r < 8; r++) {
    type->codes(blocks[r], codes[r]);
    if (CK_VNNI && type->has_signs)
      UNROLL for (int i = 0; i < 8; i++) codes[r][i] = make_unsigned(codes[r][i]);
    sub_scales[r] = type->sub_scales(blocks[r]);
    if (type->minimums) minimums[r] = type->minimums(blocks[r]);
    scale[r] = (uint16_t)type->factors(blocks[r]);
    minimum[r] = (uint16_t)(type->factors(blocks[r]) >> 16);
    rows[r] = (const void *)codes[r];
  }
  for (int i = 0; i < 16; i++) transpose_16_bytes(rows, (size_t)(16 * i), panel->codes + 4 * i);
  transpose_pairs(sub_scales, pairs);
  lay_sub_scales(type, pairs, panel->sub_scales);
  transpose_pairs(type->minimums ? minimums : sub_scales, panel->sum_factors);
  panel->scale = load_8_halves(scale);
  panel->minimum = load_8_halves(minimum);
}

/// Adds sub-scale * (codes * activations) of sub-block `j`, with the elements from `start` on of `count` rows.
INLINE void add_sub_block(const k_type *type, const panel *panel, int j, const activation_row *activations,
                          size_t start, int count, __m256i *totals) {
  const int groups = type->sub_block / 4;
#if CK_VNNI
  __m256i dots[4];
  UNROLL for (int g = 0; g < groups; g++) {
    const __m256i codes = panel->codes[j * groups + g];
    UNROLL for (int i = 0; i < count; i++)
      dots[i] = DOT_BYTES(g == 0 ? _mm256_setzero_si256() : dots[i], codes,
                          broadcast_32(activations[i].elements + start + 4 * g));
  }
  UNROLL for (int i = 0; i < count; i++)
    totals[i] = _mm256_add_epi32(totals[i], _mm256_mullo_epi32(dots[i], panel->sub_scales[j]));
#else
  UNROLL for (int link = 0; link < groups; link += type->chain) {
    __m256i dots[4];
    UNROLL for (int g = link; g < link + type->chain; g++) {
      const __m256i codes = panel->codes[j * groups + g];
      UNROLL for (int i = 0; i < count; i++) {
        const __m256i values = broadcast_32(activations[i].elements + start + 4 * g);
        const __m256i dot = multiply_codes(type, codes, values);
        dots[i] = g == link ? dot : _mm256_add_epi16(dots[i], dot);
      }
    }
    UNROLL for (int i = 0; i < count; i++)
      totals[i] = _mm256_add_epi32(totals[i], _mm256_madd_epi16(dots[i], panel->sub_scales[j]));
  }
#endif
}

/// Adds block `b` of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const k_type *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t b) {
  const int groups = type->sub_block / 4, offset = CK_VNNI && type->has_signs ? 128 : type->offset;
  const __m256i mask = row_mask(p, first);
  activation_row activations[4];
  __m256i totals[4];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 256);
    totals[i] = _mm256_setzero_si256();
  }
  for (int j = 0; j < 256 / type->sub_block; j++)
    add_sub_block(type, panel, j, activations, 256 * b + (size_t)(4 * groups * j), count, totals);
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    const __m256 activation_scale = _mm256_set1_ps(activations[i].scales[b]);
    __m256i sum_total = _mm256_setzero_si256();
    UNROLL for (int j = 0; j < 8; j++) {
      const __m256i sums = broadcast_32(activations[i].sums + 16 * b + 2 * j);
      sum_total = _mm256_add_epi32(sum_total, _mm256_madd_epi16(panel->sum_factors[j], sums));
    }
    __m256 sum = b == 0 ? _mm256_setzero_ps() : _mm256_maskload_ps(output, mask);
    if (offset)
      totals[i] = _mm256_sub_epi32(totals[i], _mm256_mullo_epi32(sum_total, _mm256_set1_epi32(offset)));
    sum = _mm256_fmadd_ps(_mm256_mul_ps(panel->scale, activation_scale), _mm256_cvtepi32_ps(totals[i]), sum);
    if (type->minimums)
      sum = _mm256_fnmadd_ps(_mm256_mul_ps(panel->minimum, activation_scale), _mm256_cvtepi32_ps(sum_total), sum);
    _mm256_maskstore_ps(output, mask, sum);
  }
}

/// Many activation rows: each block of 8 weight rows is laid out once and meets all of them.
INLINE void multiply_panels(const k_type *type, const product *p) {
  panel space;
  const uint8_t *rows[PANEL_ROWS];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, PANEL_ROWS, rows);
    for (size_t b = 0; b < p->elements / 256; b++) {
      lay(type, rows, &space);
      UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] += type->block_bytes;
      size_t a = 0;
      for (; a + 4 <= p->activation_rows; a += 4) add_panel(type, p, &space, first, a, 4, b);
      for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, b);
    }
  }
}

/// From this many activation rows on, panels are faster than rows.
#define PANEL_ACTIVATIONS 3

INLINE void multiply(const k_type *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

#endif

/// Products of types with blocks of 32 for AVX2, for any type. Included after the target attribute is pushed.
#ifndef QUANT_32_AVX2_H
#define QUANT_32_AVX2_H

#include "quant_avx2.h"

/// What a type of block must provide.
typedef struct {
  /// 32 codes in order.
  __m256i (*codes)(const uint8_t *block);
  /// 16 bits of scale, and in the upper half the float16 minimum.
  uint32_t (*factors)(const uint8_t *block);
  /// The scales in the low halves of lanes.
  __m256 (*scales)(__m256i factors);
  size_t block_bytes;
  /// There is a minimum, which is added to weights.
  bool minimum;
  /// Codes are signed; or else they are unsigned and `offset` above their values.
  bool has_signs;
  int offset;
  /// How many sums of two products fit in 16 bits together.
  int chain;
} type_32;

/// What codes are above their values when they meet activations; with VNNI all are unsigned then.
INLINE int offset_of(const type_32 *type) { return CK_VNNI && type->has_signs ? 128 : type->offset; }

INLINE __m256i codes_of(const type_32 *type, const uint8_t *block) {
  const __m256i codes = type->codes(block);
  return CK_VNNI && type->has_signs ? make_unsigned(codes) : codes;
}

#if !CK_VNNI
/// Sums of two products in 16 bits. For signed codes the sign goes to the activation: 2 * 128 * 127 fits.
INLINE __m256i multiply_codes(const type_32 *type, __m256i codes, __m256i activations) {
  if (!type->has_signs) return _mm256_maddubs_epi16(codes, activations);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(activations, codes));
}
#endif

/// `factor` * the sum of 32 activations, in all lanes; `sums` are the two sums of 16.
INLINE __m256i multiply_sums(int factor, const int16_t *sums) {
  if (!factor) return _mm256_setzero_si256();
  return _mm256_madd_epi16(_mm256_set1_epi16((short)factor), broadcast_32(sums));
}

/// Adds (scale * activation scale) * total of 8 rows to their sums, then what the minimum adds.
INLINE __m256 add_block(const type_32 *type, __m256 sum, __m256i total, __m256 scale, __m256 minimum,
                        float activation_scale, const int16_t *activation_sums) {
  const __m256 factor = _mm256_set1_ps(activation_scale);
  sum = _mm256_fmadd_ps(_mm256_mul_ps(scale, factor), _mm256_cvtepi32_ps(total), sum);
  if (!type->minimum) return sum;
  return _mm256_fmadd_ps(_mm256_mul_ps(minimum, factor), _mm256_cvtepi32_ps(multiply_sums(1, activation_sums)), sum);
}

// Rows

#define TILE_ROWS 8
#define TILE_BLOCKS 256

/// The sums of code * activation and the factors of some blocks of up to 8 rows.
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

/// The sum of code * activation of a block, as lanes that are yet to be summed.
INLINE __m256i multiply_lanes(const type_32 *type, const uint8_t *block, const int8_t *activations) {
  const __m256i codes = codes_of(type, block), values = load_256(activations);
#if CK_VNNI
  return DOT_BYTES(_mm256_setzero_si256(), codes, values);
#else
  return _mm256_madd_epi16(multiply_codes(type, codes, values), _mm256_set1_epi16(1));
#endif
}

/// Sums of code * activation of 8 blocks.
INLINE __m256i multiply_8_blocks(const type_32 *type, const uint8_t *block, const int8_t *activations) {
  __m256i totals[8];
  UNROLL for (int i = 0; i < 8; i++)
    totals[i] = multiply_lanes(type, block + (size_t)i * type->block_bytes, activations + 32 * i);
  const __m256i low = sum_parts(totals), high = sum_parts(totals + 4);
  return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
}

INLINE int32_t multiply_block(const type_32 *type, const uint8_t *block, const int8_t *activations) {
  const __m256i totals[4] = {multiply_lanes(type, block, activations)};
  return _mm_cvtsi128_si32(sum_lanes(totals));
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

/// The 16 bits of block `i` of 8, of what `transpose_16_bytes` made of 8 blocks of 8 rows, in the low halves of lanes.
INLINE __m256i halves_of_block(const __m256i transposed[4], size_t i) {
  return _mm256_srl_epi32(transposed[i / 2], _mm_cvtsi32_si128((int)(i % 2 * 16)));
}

/// The floats of a filled tile of `rows` rows, in order of blocks. Lanes without a row get those of the first.
INLINE __m256 add_tile(const type_32 *type, const tile *tile, size_t rows, const int16_t *activation_sums,
                       const float *activation_scales, size_t blocks, __m256 sum) {
  const uint8_t *total_rows[8], *scale_rows[8], *minimum_rows[8];
  UNROLL for (size_t r = 0; r < 8; r++) {
    const size_t row = r < rows ? r : 0;
    total_rows[r] = (const void *)tile->totals[row];
    scale_rows[r] = (const void *)tile->scales[row];
    minimum_rows[r] = (const void *)tile->minimums[row];
  }
  for (size_t b = 0; b < blocks; b += 8) {
    __m256i totals[8], scales[4], minimums[4];
    transpose_16_bytes(total_rows, 4 * b, totals);
    transpose_16_bytes(total_rows, 4 * b + 16, totals + 4);
    transpose_16_bytes(scale_rows, 2 * b, scales);
    if (type->minimum) transpose_16_bytes(minimum_rows, 2 * b, minimums);
    for (size_t i = 0; i < MIN(blocks - b, 8); i++) {
      const int16_t *sums = activation_sums + 2 * (b + i);
      const __m256i total = _mm256_add_epi32(totals[i], multiply_sums(-offset_of(type), sums));
      const __m256 scale = type->scales(halves_of_block(scales, i));
      const __m256 minimum = type->minimum ? floats_of_halves(halves_of_block(minimums, i)) : _mm256_setzero_ps();
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
      __m256 sum = _mm256_setzero_ps();
      for (size_t start = 0; start < p->elements / 32; start += TILE_BLOCKS) {
        const size_t blocks = MIN(p->elements / 32 - start, TILE_BLOCKS);
        fill_tile(type, p, activation.elements + 32 * start, first, rows, start, blocks, &space);
        sum = add_tile(type, &space, rows, activation.sums + 2 * start, activation.scales + start, blocks, sum);
      }
      _mm256_maskstore_ps(p->output + a * p->output_stride + first, row_mask(p, first), sum);
    }
  }
}

// Panels

#define PANEL_BLOCKS 8

/// Up to 8 blocks of 8 weight rows, side by side; lane r is row r.
typedef struct {
  __m256i codes[PANEL_BLOCKS][8]; // 4 codes a lane
  __m256 scale[PANEL_BLOCKS], minimum[PANEL_BLOCKS];
} panel;

/// Lays a block of 8 rows side by side, as number `b` of the panel.
INLINE void lay(const type_32 *type, const uint8_t *const blocks[8], size_t b, panel *panel) {
  __m256i codes[8];
  uint32_t factors[8];
  const uint8_t *rows[8];
  UNROLL for (int r = 0; r < 8; r++) {
    codes[r] = codes_of(type, blocks[r]);
    factors[r] = type->factors(blocks[r]);
    rows[r] = (const void *)&codes[r];
  }
  transpose_16_bytes(rows, 0, panel->codes[b]);
  transpose_16_bytes(rows, 16, panel->codes[b] + 4);
  panel->scale[b] = type->scales(load_256(factors));
  if (type->minimum) panel->minimum[b] = floats_of_halves(_mm256_srli_epi32(load_256(factors), 16));
}

/// Adds the products of a block of 8 rows with the elements from `start` on of `count` activation rows.
INLINE void add_codes(const type_32 *type, const __m256i all_codes[8], const activation_row *activations, size_t start,
                      int count, __m256i *totals) {
#if CK_VNNI
  (void)type;
  UNROLL for (int g = 0; g < 8; g++)
    UNROLL for (int i = 0; i < count; i++)
      totals[i] = DOT_BYTES(totals[i], all_codes[g], broadcast_32(activations[i].elements + start + 4 * g));
#else
  UNROLL for (int link = 0; link < 8; link += type->chain) {
    __m256i dots[4];
    UNROLL for (int g = link; g < link + type->chain; g++) {
      const __m256i codes = all_codes[g];
      UNROLL for (int i = 0; i < count; i++) {
        const __m256i values = broadcast_32(activations[i].elements + start + 4 * g);
        const __m256i dot = multiply_codes(type, codes, values);
        dots[i] = g == link ? dot : _mm256_add_epi16(dots[i], dot);
      }
    }
    UNROLL for (int i = 0; i < count; i++) totals[i] = add_pairs(totals[i], dots[i], _mm256_set1_epi16(1));
  }
#endif
}

/// Adds `blocks` blocks of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const type_32 *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t start, size_t blocks) {
  const __m256i mask = row_mask(p, first);
  activation_row activations[4];
  __m256 sums[4];
  UNROLL for (int i = 0; i < count; i++) {
    const size_t row = a + (size_t)i;
    activations[i] = activation_row_at(p->activations + row * p->activation_stride, p->elements, 32);
    sums[i] = start == 0 ? _mm256_setzero_ps() : _mm256_maskload_ps(p->output + row * p->output_stride + first, mask);
  }
  for (size_t b = start; b < start + blocks; b++) {
    __m256i totals[4];
    UNROLL for (int i = 0; i < count; i++) totals[i] = multiply_sums(-offset_of(type), activations[i].sums + 2 * b);
    add_codes(type, panel->codes[b - start], activations, 32 * b, count, totals);
    UNROLL for (int i = 0; i < count; i++)
      sums[i] = add_block(type, sums[i], totals[i], panel->scale[b - start], panel->minimum[b - start],
                          activations[i].scales[b], activations[i].sums + 2 * b);
  }
  UNROLL for (int i = 0; i < count; i++)
    _mm256_maskstore_ps(p->output + (a + (size_t)i) * p->output_stride + first, mask, sums[i]);
}

/// Many activation rows: 8 blocks of 8 weight rows are laid out once and meet all of them.
INLINE void multiply_panels(const type_32 *type, const product *p) {
  panel space;
  const uint8_t *rows[PANEL_ROWS];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, PANEL_ROWS, rows);
    for (size_t start = 0; start < p->elements / 32; start += PANEL_BLOCKS) {
      const size_t blocks = MIN(p->elements / 32 - start, PANEL_BLOCKS);
      for (size_t b = 0; b < blocks; b++) {
        lay(type, rows, b, &space);
        UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] += type->block_bytes;
      }
      size_t a = 0;
      for (; a + 4 <= p->activation_rows; a += 4) add_panel(type, p, &space, first, a, 4, start, blocks);
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

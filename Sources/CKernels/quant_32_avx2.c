// Products of types with blocks of 32 for AVX2.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "quant_avx2.h"

/// What a type of block must provide. A block begins with its float16 scale.
typedef struct {
  /// 32 codes in order.
  __m256i (*codes)(const uint8_t *block);
  size_t block_bytes;
  /// Codes are unsigned and `offset` above their values; or, if 0, they are signed.
  int offset;
  /// How many sums of two products fit in 16 bits together.
  int chain;
} type_32;

/// Sums of two products in 16 bits. For signed codes the sign goes to the activation: 2 * 128 * 127 fits.
INLINE __m256i multiply_codes(const type_32 *type, __m256i codes, __m256i activations) {
  if (type->offset) return _mm256_maddubs_epi16(codes, activations);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(activations, codes));
}

/// -offset * the sum of 32 activations, in all lanes; `sums` are the two sums of 16.
INLINE __m256i offset_total(const type_32 *type, const int16_t *sums) {
  if (!type->offset) return _mm256_setzero_si256();
  return _mm256_madd_epi16(_mm256_set1_epi16((short)-type->offset), broadcast_32(sums));
}

// Rows

#define TILE_ROWS 8
#define TILE_BLOCKS 64

/// The sums of code * activation and the float16 scales of some blocks of up to 8 rows.
typedef struct {
  int32_t totals[TILE_ROWS][TILE_BLOCKS];
  uint16_t scales[TILE_ROWS][TILE_BLOCKS];
} tile;

/// The sum of code * activation of a block, as lanes that are yet to be summed.
INLINE __m256i multiply_lanes(const type_32 *type, const uint8_t *block, const int8_t *activations) {
  return _mm256_madd_epi16(multiply_codes(type, type->codes(block), load_256(activations)), _mm256_set1_epi16(1));
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

/// Fills a tile with `blocks` blocks from `start` on of up to 8 weight rows.
INLINE void fill_tile(const type_32 *type, const product *p, const int8_t *activations, size_t first, size_t start,
                      size_t blocks, tile *tile) {
  const size_t bytes = type->block_bytes;
  for (size_t r = 0; r < MIN(p->weight_rows - first, TILE_ROWS); r++) {
    const uint8_t *block = p->weights + (first + r) * p->weight_row_bytes + start * bytes;
    size_t b = 0;
    for (; b + 8 <= blocks; b += 8, block += 8 * bytes) {
      prefetch_behind(block, 8 * bytes);
      _mm256_storeu_si256((void *)&tile->totals[r][b], multiply_8_blocks(type, block, activations + 32 * b));
      UNROLL for (size_t i = 0; i < 8; i++) tile->scales[r][b + i] = load_u16(block + i * bytes);
    }
    for (; b < blocks; b++, block += bytes) {
      tile->totals[r][b] = multiply_block(type, block, activations + 32 * b);
      tile->scales[r][b] = load_u16(block);
    }
  }
}

/// The floats of a filled tile, in order of blocks.
INLINE __m256 add_tile(const type_32 *type, const tile *tile, const int16_t *activation_sums,
                       const float *activation_scales, size_t blocks, __m256 sum) {
  const uint8_t *total_rows[8], *scale_rows[8];
  UNROLL for (int r = 0; r < 8; r++) {
    total_rows[r] = (const void *)tile->totals[r];
    scale_rows[r] = (const void *)tile->scales[r];
  }
  for (size_t b = 0; b < blocks; b += 8) {
    __m256i totals[8], scales[4];
    transpose_16_bytes(total_rows, 4 * b, totals);
    transpose_16_bytes(total_rows, 4 * b + 16, totals + 4);
    transpose_16_bytes(scale_rows, 2 * b, scales);
    for (size_t i = 0; i < MIN(blocks - b, 8); i++) {
      const __m256i halves = _mm256_srl_epi32(scales[i / 2], _mm_cvtsi32_si128((int)(i % 2 * 16)));
      const __m256 scale = _mm256_mul_ps(floats_of_halves(halves), _mm256_set1_ps(activation_scales[b + i]));
      const __m256i total = _mm256_add_epi32(totals[i], offset_total(type, activation_sums + 2 * (b + i)));
      sum = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(total), sum);
    }
  }
  return sum;
}

INLINE void multiply_rows(const type_32 *type, const product *p) {
  tile space;
  if (p->weight_rows % TILE_ROWS) memset(&space, 0, sizeof space); // Lanes without a row are computed, not stored.
  for (size_t first = 0; first < p->weight_rows; first += TILE_ROWS) {
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 32);
      __m256 sum = _mm256_setzero_ps();
      for (size_t start = 0; start < p->elements / 32; start += TILE_BLOCKS) {
        const size_t blocks = MIN(p->elements / 32 - start, TILE_BLOCKS);
        fill_tile(type, p, activation.elements + 32 * start, first, start, blocks, &space);
        sum = add_tile(type, &space, activation.sums + 2 * start, activation.scales + start, blocks, sum);
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
  __m256 scale[PANEL_BLOCKS];
} panel;

/// Lays a block of 8 rows side by side, as number `b` of the panel.
INLINE void lay(const type_32 *type, const uint8_t *const blocks[8], size_t b, panel *panel) {
  __m256i codes[8];
  uint16_t scales[8];
  const uint8_t *rows[8];
  UNROLL for (int r = 0; r < 8; r++) {
    codes[r] = type->codes(blocks[r]);
    scales[r] = load_u16(blocks[r]);
    rows[r] = (const void *)&codes[r];
  }
  transpose_16_bytes(rows, 0, panel->codes[b]);
  transpose_16_bytes(rows, 16, panel->codes[b] + 4);
  panel->scale[b] = load_8_halves(scales);
}

/// Adds `blocks` blocks of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const type_32 *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t start, size_t blocks) {
  const __m256i mask = row_mask(p, first), ones = _mm256_set1_epi16(1);
  activation_row activations[4];
  __m256 sums[4];
  UNROLL for (int i = 0; i < count; i++) {
    const size_t row = a + (size_t)i;
    activations[i] = activation_row_at(p->activations + row * p->activation_stride, p->elements, 32);
    sums[i] = start == 0 ? _mm256_setzero_ps() : _mm256_maskload_ps(p->output + row * p->output_stride + first, mask);
  }
  for (size_t b = start; b < start + blocks; b++) {
    __m256i totals[4];
    UNROLL for (int i = 0; i < count; i++) totals[i] = offset_total(type, activations[i].sums + 2 * b);
    UNROLL for (int link = 0; link < 8; link += type->chain) {
      __m256i dots[4];
      UNROLL for (int g = link; g < link + type->chain; g++) {
        const __m256i codes = panel->codes[b - start][g];
        UNROLL for (int i = 0; i < count; i++) {
          const __m256i values = broadcast_32(activations[i].elements + 32 * b + 4 * g);
          const __m256i dot = multiply_codes(type, codes, values);
          dots[i] = g == link ? dot : _mm256_add_epi16(dots[i], dot);
        }
      }
      UNROLL for (int i = 0; i < count; i++) totals[i] = _mm256_add_epi32(totals[i], _mm256_madd_epi16(dots[i], ones));
    }
    UNROLL for (int i = 0; i < count; i++) {
      const __m256 scale = _mm256_mul_ps(panel->scale[b - start], _mm256_set1_ps(activations[i].scales[b]));
      sums[i] = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(totals[i]), sums[i]);
    }
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

// Q8_0

INLINE __m256i codes_q8_0(const uint8_t *block) { return load_256(block + offsetof(block_q8_0, codes)); }

static const type_32 q8_0 = {.codes = codes_q8_0, .block_bytes = sizeof(block_q8_0), .chain = 1};

CK_MULTIPLY(ck_multiply_q8_0_avx2) { multiply(&q8_0, &PRODUCT_OF_ARGUMENTS); }

// Q4_0

INLINE __m256i codes_q4_0(const uint8_t *block) {
  const __m128i bytes = _mm_loadu_si128((const void *)(block + offsetof(block_q4_0, nibbles)));
  return _mm256_and_si256(join_128(bytes, _mm_srli_epi16(bytes, 4)), _mm256_set1_epi8(15));
}

static const type_32 q4_0 = {.codes = codes_q4_0, .block_bytes = sizeof(block_q4_0), .offset = 8, .chain = 8};

CK_MULTIPLY(ck_multiply_q4_0_avx2) { multiply(&q4_0, &PRODUCT_OF_ARGUMENTS); }

#pragma clang attribute pop
#endif

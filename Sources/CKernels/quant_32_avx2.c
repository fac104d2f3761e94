// Products of types with blocks of 32 for AVX2.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "quant_avx2.h"

#define PANEL_BLOCKS 8

/// Up to 8 blocks of 8 weight rows side by side; lane r is row r.
typedef struct {
  __m256i codes[PANEL_BLOCKS][8]; // 4 codes a lane
  __m256 scale[PANEL_BLOCKS];
} panel;

/// What a type of block must provide.
typedef struct {
  /// 8 rows: the sums of code * activation.
  __m256i (*rows)(const uint8_t *const blocks[8], const int8_t *activations);
  /// The 8 vectors of codes of 8 rows side by side.
  void (*lay)(const uint8_t *const blocks[8], __m256i codes[8]);
  size_t block_bytes;
  /// Codes are unsigned and `offset` above their values; or, if 0, they are signed.
  int offset;
  /// How many sums of two products fit in 16 bits together.
  int chain;
} type_32;

/// Sums of two products in 16 bits, for signed codes: 2 * 128 * 127 fits.
INLINE __m256i signed_products(__m256i codes, __m256i activations) {
  return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(activations, codes));
}

/// -offset * the sum of 32 activations, in all lanes; `sums` are the two sums of 16.
INLINE __m256i offset_total(const type_32 *type, const int16_t *sums) {
  return _mm256_madd_epi16(_mm256_set1_epi16((short)-type->offset), broadcast_32(sums));
}

/// Few activation rows: tiles of 8 weight rows, read block by block. The scale is the first thing in every block.
INLINE void multiply_rows(const type_32 *type, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += 8) {
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 32);
      const uint8_t *rows[8];
      rows_from(p, first, 8, rows);
      __m256 sum = _mm256_setzero_ps();
      for (size_t b = 0; b < p->elements / 32; b++) {
        __m256i total = type->rows(rows, activation.elements + 32 * b);
        if (type->offset) total = _mm256_add_epi32(total, offset_total(type, activation.sums + 2 * b));
        const __m256 scale = _mm256_mul_ps(load_8_halves(rows, 0), _mm256_set1_ps(activation.scales[b]));
        sum = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(total), sum);
        UNROLL for (int r = 0; r < 8; r++) rows[r] += type->block_bytes;
      }
      _mm256_maskstore_ps(p->output + a * p->output_stride + first, row_mask(p, first), sum);
    }
  }
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
    UNROLL for (int i = 0; i < count; i++)
      totals[i] = type->offset ? offset_total(type, activations[i].sums + 2 * b) : _mm256_setzero_si256();
    UNROLL for (int link = 0; link < 8; link += type->chain) {
      __m256i dots[4];
      UNROLL for (int g = link; g < link + type->chain; g++) {
        const __m256i codes = panel->codes[b - start][g];
        UNROLL for (int i = 0; i < count; i++) {
          const __m256i values = broadcast_32(activations[i].elements + 32 * b + 4 * g);
          const __m256i dot = type->offset ? _mm256_maddubs_epi16(codes, values) : signed_products(codes, values);
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
        type->lay(rows, space.codes[b]);
        space.scale[b] = load_8_halves(rows, 0);
        UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] += type->block_bytes;
      }
      size_t a = 0;
      for (; a + 4 <= p->activation_rows; a += 4) add_panel(type, p, &space, first, a, 4, start, blocks);
      for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, start, blocks);
    }
  }
}

INLINE void multiply(const type_32 *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

// Q8_0

INLINE __m256i rows_q8_0(const uint8_t *const blocks[8], const int8_t *activations) {
  const __m256i values = load_256(activations), ones = _mm256_set1_epi16(1);
  __m256i totals[8];
  UNROLL for (int r = 0; r < 8; r++)
    totals[r] = _mm256_madd_epi16(signed_products(load_256(blocks[r] + 2), values), ones);
  return add_parts(sum_parts(totals), sum_parts(totals + 4));
}

INLINE void lay_q8_0(const uint8_t *const blocks[8], __m256i codes[8]) {
  transpose_16_bytes(blocks, 2, codes);
  transpose_16_bytes(blocks, 18, codes + 4);
}

static const type_32 q8_0 = {.rows = rows_q8_0, .lay = lay_q8_0, .block_bytes = sizeof(block_q8_0), .chain = 1};

CK_MULTIPLY(ck_multiply_q8_0_avx2) { multiply(&q8_0, &PRODUCT_OF_ARGUMENTS); }

// Q4_0

INLINE __m256i rows_q4_0(const uint8_t *const blocks[8], const int8_t *activations) {
  const __m256i values = load_256(activations), mask = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256i dots[8];
  UNROLL for (int r = 0; r < 8; r++) {
    const __m128i bytes = _mm_loadu_si128((const void *)(blocks[r] + 2));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(bytes), _mm_srli_epi16(bytes, 4), 1);
    dots[r] = _mm256_maddubs_epi16(_mm256_and_si256(both, mask), values);
  }
  // 16-bit sums of 8 products are at most 8 * 15 * 127.
  __m256i totals[2];
  UNROLL for (int half = 0; half < 2; half++) {
    const __m256i ab = _mm256_hadd_epi16(dots[4 * half], dots[4 * half + 1]);
    const __m256i cd = _mm256_hadd_epi16(dots[4 * half + 2], dots[4 * half + 3]);
    totals[half] = _mm256_madd_epi16(_mm256_hadd_epi16(ab, cd), ones);
  }
  return add_parts(totals[0], totals[1]);
}

INLINE void lay_q4_0(const uint8_t *const blocks[8], __m256i codes[8]) {
  const __m256i mask = _mm256_set1_epi8(15);
  __m256i bytes[4];
  transpose_16_bytes(blocks, 2, bytes);
  UNROLL for (int g = 0; g < 4; g++) {
    codes[g] = _mm256_and_si256(bytes[g], mask);
    codes[4 + g] = _mm256_and_si256(_mm256_srli_epi16(bytes[g], 4), mask);
  }
}

static const type_32 q4_0 = {
    .rows = rows_q4_0, .lay = lay_q4_0, .block_bytes = sizeof(block_q4_0), .offset = 8, .chain = 8};

CK_MULTIPLY(ck_multiply_q4_0_avx2) { multiply(&q4_0, &PRODUCT_OF_ARGUMENTS); }

#pragma clang attribute pop
#endif

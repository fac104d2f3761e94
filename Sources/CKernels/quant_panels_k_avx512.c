// Panels of K-quants as they lie in memory, for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_k_avx512_lay.h"
#include "quant_panels.h"

/// What a type must provide: `k`, of which the functions are not used, and its parts from the vectors of a block.
typedef struct {
  k_type k;
  void (*factors)(const uint8_t *block, panel_factors *factors);
  /// Codes 64 `part` to 64 `part` + 63, 4 a lane.
  void (*codes)(const uint8_t *block, int part, __m512i codes[16]);
} laid_type;

INLINE __m512i unit(const uint8_t *block, int number) { return load_512(block + 64 * number); }

/// The low or high 4 bits of each byte.
INLINE __m512i nibbles_of(__m512i bytes, int high) {
  return _mm512_and_si512(high ? _mm512_srli_epi32(bytes, 4) : bytes, _mm512_set1_epi8(15));
}

INLINE void laid_factors_45k(const uint8_t *block, panel_factors *factors) {
  const __m512i head[4] = {unit(block, 0), unit(block, 1), unit(block, 2), unit(block, 3)};
  factors_of_head(head, factors);
}

INLINE void laid_codes_q4k(const uint8_t *block, int part, __m512i codes[16]) {
  UNROLL for (int g = 0; g < 8; g++) {
    const __m512i bytes = unit(block, 4 + 8 * part + g);
    codes[g] = nibbles_of(bytes, 0);
    codes[8 + g] = nibbles_of(bytes, 1);
  }
}

INLINE void laid_codes_q5k(const uint8_t *block, int part, __m512i codes[16]) {
  const __m512i bit = _mm512_set1_epi8(16);
  UNROLL for (int g = 0; g < 8; g++) {
    const __m512i bytes = unit(block, CODES_OF_Q5K(8 * part + g));
    const __m512i five = _mm512_rorv_epi32(unit(block, FIFTHS_OF_Q5K(g)), _mm512_set1_epi32((2 * part + 28) % 32));
    codes[g] = _mm512_or_si512(nibbles_of(bytes, 0), _mm512_and_si512(five, bit));
    codes[8 + g] = _mm512_or_si512(nibbles_of(bytes, 1), _mm512_and_si512(_mm512_srli_epi32(five, 1), bit));
  }
}

INLINE void laid_factors_q6k(const uint8_t *block, panel_factors *factors) {
  const uint8_t *units = units_of_q6k(block);
  const __m512i scales[4] = {unit(units, 0), unit(units, 1), unit(units, 2), unit(units, 3)};
  sub_scales_of_bytes(scales, factors);
  factors->scale = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)block));
}

INLINE void laid_codes_q6k(const uint8_t *block, int part, __m512i codes[16]) {
  const __m512i upper_mask = _mm512_set1_epi8(0x30);
  const int half = part / 2, high = part % 2;
  const uint8_t *units = units_of_q6k(block);
  UNROLL for (int g = 0; g < 8; g++) {
    const __m512i upper = unit(units, UPPERS_OF_Q6K(8 * half + g));
    UNROLL for (int j = 0; j < 2; j++) {
      const __m512i bits = _mm512_rorv_epi32(upper, _mm512_set1_epi32((4 * high + 2 * j + 28) % 32));
      codes[8 * j + g] = _mm512_or_si512(nibbles_of(unit(units, LOWERS_OF_Q6K(8 * half + g, j)), high),
                                         _mm512_and_si512(bits, upper_mask));
    }
  }
}

// Q2_K and Q3_K: 2 bits of 32 bytes at a time.

INLINE void laid_factors_q2k(const uint8_t *block, panel_factors *factors) {
  const __m512i byte = _mm512_set1_epi32(0xff);
  const __m512i both = unit(block, 20);
  factors->scale = floats_of_halves(both);
  factors->minimum = floats_of_halves(_mm512_srli_epi32(both, 16));
  UNROLL for (int j = 0; j < 4; j++) {
    const __m512i bytes = unit(block, j), scales = nibbles_of(bytes, 0), minimums = nibbles_of(bytes, 1);
    UNROLL for (int k = 0; k < 4; k++)
      factors->sub_scales[4 * j + k] = _mm512_and_si512(_mm512_srli_epi32(scales, (unsigned)(8 * k)), byte);
    // Of 2 bytes, the second one moves to the upper half of the lane.
    const __m128i order = _mm_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
    const __m512i pair = _mm512_broadcast_i32x4(order);
    factors->sum_factors[2 * j] = _mm512_shuffle_epi8(minimums, pair);
    factors->sum_factors[2 * j + 1] = _mm512_shuffle_epi8(_mm512_srli_epi32(minimums, 16), pair);
  }
}

INLINE void laid_codes_q2k(const uint8_t *block, int part, __m512i codes[16]) {
  UNROLL for (int i = 0; i < 16; i++) {
    const __m512i bytes = unit(block, 4 + 8 * (part / 2) + i % 8);
    const __m512i moved = _mm512_srlv_epi32(bytes, _mm512_set1_epi32(4 * (part % 2) + 2 * (i / 8)));
    codes[i] = _mm512_and_si512(moved, _mm512_set1_epi8(3));
  }
}

INLINE void laid_factors_q3k(const uint8_t *block, panel_factors *factors) {
  const uint8_t *units = units_of_q3k(block);
  const __m512i low[2] = {unit(units, 0), unit(units, 1)}, upper = unit(units, 2);
  __m512i scales[4];
  UNROLL for (int j = 0; j < 4; j++) {
    const __m512i bits = _mm512_rorv_epi32(upper, _mm512_set1_epi32((2 * j + 28) % 32));
    scales[j] = _mm512_or_si512(nibbles_of(low[j % 2], j / 2), _mm512_and_si512(bits, _mm512_set1_epi8(0x30)));
    scales[j] = _mm512_sub_epi8(scales[j], _mm512_set1_epi8(32));
  }
  sub_scales_of_bytes(scales, factors);
  factors->scale = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)block));
}

INLINE void laid_codes_q3k(const uint8_t *block, int part, __m512i codes[16]) {
  const uint8_t *units = units_of_q3k(block);
  UNROLL for (int i = 0; i < 16; i++) {
    const __m512i bytes = unit(units, CODES_OF_Q3K(8 * (part / 2) + i % 8));
    const __m512i moved = _mm512_srlv_epi32(bytes, _mm512_set1_epi32(4 * (part % 2) + 2 * (i / 8)));
    const __m512i masks = unit(units, MASKS_OF_Q3K(i % 8));
    const __m512i third = _mm512_rorv_epi32(masks, _mm512_set1_epi32((2 * part + i / 8 + 30) % 32));
    codes[i] = _mm512_or_si512(_mm512_and_si512(moved, _mm512_set1_epi8(3)),
                               _mm512_and_si512(third, _mm512_set1_epi8(4)));
  }
}

// IQ4_XS: the low nibbles of 16 bytes, then the high ones.

INLINE void laid_factors_iq4_xs(const uint8_t *block, panel_factors *factors) {
  const __m512i head = unit(block, 0), lower = unit(block, 1);
  factors->scale = floats_of_halves(head);
  UNROLL for (int j = 0; j < 8; j++) {
    const __m512i low = _mm512_and_si512(_mm512_srli_epi32(lower, (unsigned)(4 * j)), _mm512_set1_epi32(15));
    const __m512i upper = _mm512_and_si512(_mm512_srli_epi32(head, (unsigned)(12 + 2 * j)), _mm512_set1_epi32(0x30));
    const __m512i scale = _mm512_sub_epi32(_mm512_or_si512(low, upper), _mm512_set1_epi32(32));
    factors->sub_scales[j] = scale;
    factors->sum_factors[j] = _mm512_mask_blend_epi16(0xaaaaaaaau, scale, _mm512_slli_epi32(scale, 16));
  }
}

INLINE void laid_codes_iq4_xs(const uint8_t *block, int part, __m512i codes[16]) {
  UNROLL for (int i = 0; i < 16; i++)
    codes[i] = look_up(iq4_codes, 128, nibbles_of(unit(block, 2 + 8 * part + 4 * (i / 8) + i % 4), i / 4 % 2));
}

/// One panel times `count` activation rows from `a` on, without anything in between.
INLINE void multiply_directly(const laid_type *type, const product *p, const uint8_t *panel, size_t first, size_t a,
                              int count) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->k.block_bytes;
  const int sub_blocks = 64 / type->k.sub_block, groups = type->k.sub_block / 4;
  activation_row activations[8];
  __m512 results[8];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 256);
    results[i] = _mm512_setzero_ps();
  }
  for (size_t b = 0; b < p->elements / 256; b++, panel += bytes) {
    panel_factors factors;
    __m512i totals[8], sums[8];
    type->factors(panel, &factors);
    UNROLL for (int i = 0; i < count; i++) totals[i] = sums[i] = _mm512_setzero_si512();
    UNROLL for (int part = 0; part < 4; part++) {
      __m512i codes[16];
      type->codes(panel, part, codes);
      UNROLL for (int j = 0; j < sub_blocks; j++) {
        __m512i dots[8];
        if (NEEDS_ASKING(count))
          prefetch_panel(panel, bytes, (size_t)(part * sub_blocks + j), (size_t)(4 * sub_blocks));
        UNROLL for (int i = 0; i < count; i++) dots[i] = _mm512_setzero_si512();
        UNROLL for (int g = 0; g < groups; g++) {
          UNROLL for (int i = 0; i < count; i++) {
            const int8_t *values = activations[i].elements + 256 * b + 64 * part + 4 * (j * groups + g);
            dots[i] = _mm512_dpbusd_epi32(dots[i], codes[j * groups + g], broadcast_32(values));
          }
        }
        const __m512i scale = factors.sub_scales[part * sub_blocks + j];
        UNROLL for (int i = 0; i < count; i++)
          totals[i] = _mm512_add_epi32(totals[i], _mm512_mullo_epi32(dots[i], scale));
      }
    }
    UNROLL for (int j = 0; j < 8; j++) {
      UNROLL for (int i = 0; i < count; i++)
        sums[i] =
            _mm512_dpwssd_epi32(sums[i], factors.sum_factors[j], broadcast_32(activations[i].sums + 16 * b + 2 * j));
    }
    UNROLL for (int i = 0; i < count; i++)
      results[i] = add_floats(&type->k, &factors, totals[i], sums[i], activations[i].scales[b], results[i]);
  }
  UNROLL for (int i = 0; i < count; i++)
    _mm512_storeu_ps(p->output + (a + (size_t)i) * p->output_stride + first, results[i]);
}

/// One panel times all activation rows: each of its blocks is taken apart once.
INLINE void multiply_unpacked(const laid_type *type, const product *p, const uint8_t *weights, size_t first) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->k.block_bytes;
  panel space;
  for (size_t b = 0; b < p->elements / 256; b++, weights += bytes) {
    type->factors(weights, &space.factors);
    UNROLL for (int part = 0; part < 4; part++) type->codes(weights, part, space.codes + 16 * part);
    size_t a = 0;
    for (; a + 8 <= p->activation_rows; a += 8) add_panel(&type->k, p, &space, first, a, 8, b);
    for (; a + 2 <= p->activation_rows; a += 2) add_panel(&type->k, p, &space, first, a, 2, b);
    for (; a < p->activation_rows; a++) add_panel(&type->k, p, &space, first, a, 1, b);
  }
}

/// From this many activation rows on, it is faster to take blocks apart once.
#define UNPACKED_ACTIVATIONS 32

INLINE void multiply_laid(const laid_type *type, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += PANEL_WEIGHT_ROWS) {
    const uint8_t *panel = p->weights + first * p->weight_row_bytes;
    if (p->activation_rows >= UNPACKED_ACTIVATIONS) {
      multiply_unpacked(type, p, panel, first);
      continue;
    }
    size_t a = 0;
    for (; a + 8 <= p->activation_rows; a += 8) multiply_directly(type, p, panel, first, a, 8);
    for (; a + 4 <= p->activation_rows; a += 4) multiply_directly(type, p, panel, first, a, 4);
    switch (p->activation_rows - a) {
    case 1: multiply_directly(type, p, panel, first, a, 1); break;
    case 2: multiply_directly(type, p, panel, first, a, 2); break;
    case 3: multiply_directly(type, p, panel, first, a, 3); break;
    }
  }
}

#define LAID_K(name, ...)                                                                                            \
  static const laid_type name = {.k = {.block_bytes = sizeof(block_##name), __VA_ARGS__}, FUNCTIONS(name)};          \
  CK_MULTIPLY(ck_multiply_##name##_panels_avx512) { multiply_laid(&name, &PRODUCT_OF_ARGUMENTS); }

#define laid_factors_q4k laid_factors_45k
#define laid_factors_q5k laid_factors_45k
#define FUNCTIONS(name) .factors = laid_factors_##name, .codes = laid_codes_##name

LAID_K(q2k, .minimums = minimums_q2k, .sub_block = 16)
LAID_K(q3k, .offset = 4, .sub_block = 16)
LAID_K(q4k, .minimums = minimums_45k, .sub_block = 32)
LAID_K(q5k, .minimums = minimums_45k, .sub_block = 32)
LAID_K(q6k, .offset = 32, .sub_block = 16)
LAID_K(iq4_xs, .offset = 128, .sub_block = 32)

#pragma clang attribute pop
#endif

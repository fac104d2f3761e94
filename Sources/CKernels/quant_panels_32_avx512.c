// Panels of the types with blocks of 32 as they lie in memory, for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_32_avx512.h"
#include "quant_panels.h"

/// What a type must provide: `type`, of which the functions are not used, and its parts from the vectors of a block.
typedef struct {
  type_32 type;
  void (*factors)(const uint8_t *block, __m512 *scale, __m512 *minimum);
  /// All codes, 4 a lane.
  void (*codes)(const uint8_t *block, __m512i codes[8]);
} laid_type;

INLINE __m512i unit(const uint8_t *block, int number) { return load_512(block + 64 * number); }

// Factors

/// Float16 scales of 16 rows behind the units of a block of so many bytes.
INLINE __m512 scales_behind(const uint8_t *block, size_t block_bytes) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(block + 64 * UNITS_OF(block_bytes))));
}

INLINE void laid_factors_18(const uint8_t *block, __m512 *scale, __m512 *minimum) { *scale = scales_behind(block, 18); }

INLINE void laid_factors_22(const uint8_t *block, __m512 *scale, __m512 *minimum) { *scale = scales_behind(block, 22); }

INLINE void laid_factors_34(const uint8_t *block, __m512 *scale, __m512 *minimum) { *scale = scales_behind(block, 34); }

INLINE void laid_factors_17(const uint8_t *block, __m512 *scale, __m512 *minimum) {
  const __m128i exponents = _mm_loadu_si128((const void *)(block + 64 * UNITS_OF(17)));
  *scale = floats_of_exponents(_mm512_cvtepu8_epi32(exponents));
}

/// Scale and minimum are the first unit.
INLINE void laid_factors_both(const uint8_t *block, __m512 *scale, __m512 *minimum) {
  *scale = floats_of_halves(unit(block, 0));
  *minimum = floats_of_halves(_mm512_srli_epi32(unit(block, 0), 16));
}

// Codes. Those with signs are made unsigned by adding 128.

/// Nibbles in 4 units from number `first` on: the low ones, then the high ones.
INLINE void laid_nibbles(const uint8_t *block, int first, __m512i codes[8]) {
  const __m512i mask = _mm512_set1_epi8(15);
  UNROLL for (int g = 0; g < 4; g++) {
    const __m512i bytes = unit(block, first + g);
    codes[g] = _mm512_and_si512(bytes, mask);
    codes[4 + g] = _mm512_and_si512(_mm512_srli_epi32(bytes, 4), mask);
  }
}

/// Adds the fifth bits of 32 codes, which are one unit, to nibbles.
INLINE void add_fifth_bits(__m512i bits, __m512i codes[8]) {
  const __m512i lanes = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
  UNROLL for (int g = 0; g < 8; g++) {
    // The byte that has the bits of 8 codes goes to all bytes of its lane, and each takes its own bit.
    const __m512i bytes = _mm512_shuffle_epi8(bits, _mm512_add_epi8(lanes, _mm512_set1_epi8((char)(g / 2))));
    const __mmask64 set = _mm512_test_epi8_mask(bytes, _mm512_set1_epi32(g % 2 ? (int)0x80402010 : 0x08040201));
    codes[g] = _mm512_mask_add_epi8(codes[g], set, codes[g], _mm512_set1_epi8(16));
  }
}

INLINE void laid_codes_q4_0(const uint8_t *block, __m512i codes[8]) { laid_nibbles(block, 0, codes); }

INLINE void laid_codes_q4_1(const uint8_t *block, __m512i codes[8]) { laid_nibbles(block, 1, codes); }

INLINE void laid_codes_q5_0(const uint8_t *block, __m512i codes[8]) {
  laid_nibbles(block, 1, codes);
  add_fifth_bits(unit(block, 0), codes);
}

INLINE void laid_codes_q5_1(const uint8_t *block, __m512i codes[8]) {
  laid_nibbles(block, 2, codes);
  add_fifth_bits(unit(block, 1), codes);
}

INLINE void laid_codes_q8_0(const uint8_t *block, __m512i codes[8]) {
  UNROLL for (int g = 0; g < 8; g++) codes[g] = _mm512_xor_si512(unit(block, g), _mm512_set1_epi8(-128));
}

INLINE void laid_codes_iq4_nl(const uint8_t *block, __m512i codes[8]) {
  laid_nibbles(block, 0, codes);
  UNROLL for (int g = 0; g < 8; g++) codes[g] = look_up(iq4_codes, 128, codes[g]);
}

INLINE void laid_codes_mxfp4(const uint8_t *block, __m512i codes[8]) {
  laid_nibbles(block, 0, codes);
  UNROLL for (int g = 0; g < 8; g++) codes[g] = look_up(fp4_codes, 12, codes[g]);
}

// Products

/// One panel times `count` activation rows, without anything in between.
INLINE void multiply_directly(const laid_type *laid, const product *p, const uint8_t *panel, size_t first, size_t a,
                              int count) {
  const type_32 *type = &laid->type;
  const size_t bytes = PANEL_WEIGHT_ROWS * type->block_bytes;
  activation_row activations[8];
  __m512 results[8];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 32);
    results[i] = _mm512_setzero_ps();
  }
  for (size_t b = 0; b < p->elements / 32; b++, panel += bytes) {
    __m512 scale, minimum = _mm512_setzero_ps();
    __m512i codes[8], totals[8];
    if (NEEDS_ASKING(count)) prefetch_panel(panel, bytes, 0, 1);
    laid->factors(panel, &scale, &minimum);
    laid->codes(panel, codes);
    UNROLL for (int i = 0; i < count; i++) totals[i] = multiply_sums(-type->offset, activations[i].sums + 2 * b);
    UNROLL for (int g = 0; g < 8; g++) {
      UNROLL for (int i = 0; i < count; i++)
        totals[i] = _mm512_dpbusd_epi32(totals[i], codes[g], broadcast_32(activations[i].elements + 32 * b + 4 * g));
    }
    UNROLL for (int i = 0; i < count; i++)
      results[i] = add_block(type, results[i], totals[i], scale, minimum, activations[i].scales[b],
                             activations[i].sums + 2 * b);
  }
  UNROLL for (int i = 0; i < count; i++)
    _mm512_storeu_ps(p->output + (a + (size_t)i) * p->output_stride + first, results[i]);
}

INLINE void multiply_laid(const laid_type *laid, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += PANEL_WEIGHT_ROWS) {
    const uint8_t *panel = p->weights + first * p->weight_row_bytes;
    size_t a = 0;
    for (; a + 8 <= p->activation_rows; a += 8) multiply_directly(laid, p, panel, first, a, 8);
    for (; a + 4 <= p->activation_rows; a += 4) multiply_directly(laid, p, panel, first, a, 4);
    switch (p->activation_rows - a) {
    case 1: multiply_directly(laid, p, panel, first, a, 1); break;
    case 2: multiply_directly(laid, p, panel, first, a, 2); break;
    case 3: multiply_directly(laid, p, panel, first, a, 3); break;
    }
  }
}

// Types

#define LAID_32(name, bytes, factors_of, ...)                                                                        \
  static const laid_type name = {                                                                                    \
      .type = {.block_bytes = bytes, __VA_ARGS__}, .factors = factors_of, .codes = laid_codes_##name};               \
  CK_MULTIPLY(ck_multiply_##name##_panels_avx512) { multiply_laid(&name, &PRODUCT_OF_ARGUMENTS); }

LAID_32(q4_0, 18, laid_factors_18, .offset = 8)
LAID_32(q4_1, 20, laid_factors_both, .minimum = true)
LAID_32(q5_0, 22, laid_factors_22, .offset = 16)
LAID_32(q5_1, 24, laid_factors_both, .minimum = true)
LAID_32(q8_0, 34, laid_factors_34, .offset = 128)
LAID_32(iq4_nl, 18, laid_factors_18, .offset = 128)
LAID_32(mxfp4, 17, laid_factors_17, .offset = 12)

#pragma clang attribute pop
#endif

// Panels of the types with blocks of 256 as they lie in memory, for AVX2.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "quant_panels_k_avx2.h"

// Q2_K and Q3_K: 2 bits of 32 bytes at a time.

/// Float16 scale and float16 minimum in one unit.
INLINE void factors_of_both(__m256i both, laid_factors *factors) {
  factors->scale = floats_of_halves(both);
  factors->minimum = floats_of_halves(_mm256_srli_epi32(both, 16));
}

/// 16 sub-scales from signed bytes, which are also the sums' factors.
INLINE void sub_scales_of_bytes(const __m256i scales[4], laid_factors *factors) {
  UNROLL for (int j = 0; j < 16; j++) factors->sub_scales[j] = pair_of_bytes(scales[j / 4], j % 4, j % 4, true);
  UNROLL for (int j = 0; j < 8; j++)
    factors->sum_factors[j] = pair_of_bytes(scales[j / 2], j % 2 * 2, j % 2 * 2 + 1, true);
}

/// A bit field of each byte, moved from place `from` to place `to`.
INLINE __m256i bits_of(__m256i bytes, int from, int to, int mask) {
  const __m256i moved = from < to ? _mm256_slli_epi32(bytes, to - from) : _mm256_srli_epi32(bytes, from - to);
  return _mm256_and_si256(moved, _mm256_set1_epi8((char)mask));
}

INLINE void laid_factors_q2k(const uint8_t *block, int half, laid_factors *factors) {
  factors_of_both(unit(block, 20, half), factors);
  UNROLL for (int j = 0; j < 4; j++) {
    const __m256i bytes = unit(block, j, half), scales = nibbles_of(bytes, 0), minimums = nibbles_of(bytes, 1);
    UNROLL for (int k = 0; k < 4; k++) factors->sub_scales[4 * j + k] = pair_of_bytes(scales, k, k, false);
    factors->sum_factors[2 * j] = pair_of_bytes(minimums, 0, 1, false);
    factors->sum_factors[2 * j + 1] = pair_of_bytes(minimums, 2, 3, false);
  }
}

INLINE __m256i laid_codes_q2k(const uint8_t *block, int half, int step, int k) {
  return bits_of(unit(block, 4 + step, half), 2 * k, 0, 3);
}

INLINE void laid_factors_q3k(const uint8_t *block, int half, laid_factors *factors) {
  const uint8_t *units = units_of_q3k(block);
  const __m256i low[2] = {unit(units, 0, half), unit(units, 1, half)}, upper = unit(units, 2, half);
  __m256i scales[4];
  UNROLL for (int j = 0; j < 4; j++) {
    const __m256i both = _mm256_or_si256(nibbles_of(low[j % 2], j / 2), bits_of(upper, 2 * j, 4, 0x30));
    scales[j] = _mm256_sub_epi8(both, _mm256_set1_epi8(32));
  }
  sub_scales_of_bytes(scales, factors);
  factors->scale = load_8_halves((const void *)(block + 16 * half));
}

INLINE __m256i laid_codes_q3k(const uint8_t *block, int half, int step, int k) {
  const uint8_t *units = units_of_q3k(block);
  return _mm256_or_si256(bits_of(unit(units, CODES_OF_Q3K(step), half), 2 * k, 0, 3),
                         bits_of(unit(units, MASKS_OF_Q3K(step % 8), half), 4 * (step / 8) + k, 2, 4));
}

// Q4_K and Q5_K

INLINE void laid_factors_45k(const uint8_t *block, int half, laid_factors *factors) {
  const __m256i six_bits = _mm256_set1_epi8(0x3f), nibbles = _mm256_set1_epi8(15), two_bits = _mm256_set1_epi8(0x30);
  const __m256i scale = unit(block, 1, half), minimum = unit(block, 2, half), rest = unit(block, 3, half);
  const __m256i scales[2] = {_mm256_and_si256(scale, six_bits),
                             _mm256_or_si256(_mm256_and_si256(rest, nibbles),
                                             _mm256_and_si256(_mm256_srli_epi32(scale, 2), two_bits))};
  const __m256i minimums[2] = {_mm256_and_si256(minimum, six_bits),
                               _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(rest, 4), nibbles),
                                               _mm256_and_si256(_mm256_srli_epi32(minimum, 2), two_bits))};
  factors_of_both(unit(block, 0, half), factors);
  UNROLL for (int j = 0; j < 8; j++) factors->sub_scales[j] = pair_of_bytes(scales[j / 4], j % 4, j % 4, false);
  UNROLL for (int j = 0; j < 4; j++)
    factors->sum_factors[j] = pair_of_bytes(minimums[j / 2], j % 2 * 2, j % 2 * 2 + 1, false);
}

INLINE __m256i laid_codes_q4k(const uint8_t *block, int half, int step, int k) {
  return nibbles_of(unit(block, 4 + step, half), k);
}

INLINE __m256i laid_codes_q5k(const uint8_t *block, int half, int step, int k) {
  return _mm256_or_si256(nibbles_of(unit(block, CODES_OF_Q5K(step), half), k),
                         bits_of(unit(block, FIFTHS_OF_Q5K(step % 8), half), 2 * (step / 8) + k, 4, 16));
}

// Q6_K

INLINE void laid_factors_q6k(const uint8_t *block, int half, laid_factors *factors) {
  const uint8_t *units = units_of_q6k(block);
  const __m256i scales[4] = {unit(units, 0, half), unit(units, 1, half), unit(units, 2, half), unit(units, 3, half)};
  sub_scales_of_bytes(scales, factors);
  factors->scale = load_8_halves((const void *)(block + 16 * half));
}

INLINE __m256i laid_codes_q6k(const uint8_t *block, int half, int step, int k) {
  const uint8_t *units = units_of_q6k(block);
  return _mm256_or_si256(nibbles_of(unit(units, LOWERS_OF_Q6K(step, k % 2), half), k / 2),
                         bits_of(unit(units, UPPERS_OF_Q6K(step), half), 2 * k, 4, 0x30));
}

// IQ4_XS: the low nibbles of 16 bytes, then the high ones.

INLINE void laid_factors_iq4_xs(const uint8_t *block, int half, laid_factors *factors) {
  const __m256i head = unit(block, 0, half), lower = unit(block, 1, half);
  factors->scale = floats_of_halves(head);
  UNROLL for (int j = 0; j < 8; j++) {
    const __m256i low = _mm256_and_si256(_mm256_srli_epi32(lower, 4 * j), _mm256_set1_epi32(15));
    const __m256i upper = _mm256_and_si256(_mm256_srli_epi32(head, 12 + 2 * j), _mm256_set1_epi32(0x30));
    const __m256i scale = _mm256_sub_epi32(_mm256_or_si256(low, upper), _mm256_set1_epi32(32));
    factors->sub_scales[j] = shuffle_lanes(scale, 0x01000100);
  }
}

INLINE __m256i laid_codes_iq4_xs(const uint8_t *block, int half, int step, int k) {
  return look_up(iq4_codes, 0, nibbles_of(unit(block, 2 + step, half), k));
}

// Types. As many sums of two products fit in 16 bits as their largest code * 127 * 2 goes into 32767.

#define LAID_K(name, fan_of, stride_of, ...)                                                                         \
  static const laid_type name = {.block_bytes = sizeof(block_##name),                                                \
                                 __VA_ARGS__,                                                                        \
                                 .factors = laid_factors_##name,                                                     \
                                 .codes = laid_codes_##name,                                                         \
                                 .fan = fan_of,                                                                      \
                                 .stride = stride_of};                                                               \
  CK_MULTIPLY(ck_multiply_##name##_panels_avx2) { multiply_laid(&name, &PRODUCT_OF_ARGUMENTS); }

#define laid_factors_q4k laid_factors_45k
#define laid_factors_q5k laid_factors_45k

LAID_K(q2k, 4, 32, .minimums = true, .sub_block = 16, .chain = 4, .directly = 4)
LAID_K(q3k, 4, 32, .offset = 4, .sub_block = 16, .chain = 4, .directly = 3)
LAID_K(q4k, 2, 32, .minimums = true, .sub_block = 32, .chain = 8, .directly = 4, .is_rolled = true)
LAID_K(q5k, 2, 32, .minimums = true, .sub_block = 32, .chain = 4, .directly = 2)
LAID_K(q6k, 4, 32, .offset = 32, .sub_block = 16, .chain = 2, .directly = 3, .is_rolled = true)
LAID_K(iq4_xs, 2, 16, .has_signs = true, .sub_block = 32, .chain = 1, .directly = 4)

#pragma clang attribute pop
#endif

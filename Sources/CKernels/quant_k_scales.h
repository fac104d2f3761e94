/// Sub-scales, minimums and factors of the types with blocks of 256, for AVX2 and beyond. Included after the target
/// attribute is pushed.
///
/// Sub-scales and minimums are 16 int16, one for each 16 codes: those of sub-blocks of 32 stand there twice. Factors
/// are the float16 scale, and in the upper half the float16 minimum.
#ifndef QUANT_K_SCALES_H
#define QUANT_K_SCALES_H

#include "quant_product.h"
#include <immintrin.h>

/// Scales of 4 blocks from their factors, and minimums.
INLINE void load_factors(const uint32_t factors[4], __m128 *scale, __m128 *minimum) {
  const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  const __m256 both = _mm256_cvtph_ps(_mm_shuffle_epi8(_mm_loadu_si128((const void *)factors), order));
  *scale = _mm256_castps256_ps128(both);
  *minimum = _mm256_extractf128_ps(both, 1);
}

// Q2_K: nibbles.

INLINE __m256i sub_scales_q2k(const uint8_t *block) {
  const __m128i bytes = _mm_loadu_si128((const void *)(block + offsetof(block_q2k, sub_scales)));
  return _mm256_cvtepu8_epi16(_mm_and_si128(bytes, _mm_set1_epi8(15)));
}

INLINE __m256i minimums_q2k(const uint8_t *block) {
  const __m128i bytes = _mm_loadu_si128((const void *)(block + offsetof(block_q2k, sub_scales)));
  return _mm256_cvtepu8_epi16(_mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15)));
}

INLINE uint32_t factors_q2k(const uint8_t *block) { return load_u32(block + offsetof(block_q2k, scale)); }

// Q3_K: 8 bytes of low nibbles, 4 bytes of upper 2 bits, minus 32.

INLINE __m256i sub_scales_q3k(const uint8_t *block) {
  const uint8_t *bytes = block + offsetof(block_q3k, sub_scales);
  const __m128i low = _mm_set1_epi64x((long long)(load_u32(bytes) | (uint64_t)load_u32(bytes + 4) << 32));
  const __m128i upper = _mm_set1_epi32(load_i32(bytes + 8));
  const __m128i nibbles = _mm_and_si128(_mm_blend_epi16(low, _mm_srli_epi16(low, 4), 0xf0), _mm_set1_epi8(15));
  const __m128i bits = _mm_and_si128(_mm_srlv_epi32(upper, _mm_setr_epi32(0, 2, 4, 6)), _mm_set1_epi8(3));
  return _mm256_cvtepi8_epi16(_mm_sub_epi8(_mm_or_si128(nibbles, _mm_slli_epi16(bits, 4)), _mm_set1_epi8(32)));
}

INLINE uint32_t factors_q3k(const uint8_t *block) { return load_u16(block + offsetof(block_q3k, scale)); }

// Q4_K and Q5_K

/// 8 bytes as 16 int16, each twice.
INLINE __m256i twice_16(uint64_t bytes) {
  const __m128i once = _mm_cvtsi64_si128((long long)bytes);
  return _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(once, once));
}

INLINE __m256i sub_scales_45k(const uint8_t *block) {
  return twice_16(unpack_sub_scales_k(block + offsetof(block_q4k, sub_scales)).scales);
}

INLINE __m256i minimums_45k(const uint8_t *block) {
  return twice_16(unpack_sub_scales_k(block + offsetof(block_q4k, sub_scales)).minimums);
}

/// Scale and minimum lead the block, next to each other.
INLINE uint32_t factors_45k(const uint8_t *block) { return load_u32(block); }

// Q6_K

INLINE __m256i sub_scales_q6k(const uint8_t *block) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(block + offsetof(block_q6k, sub_scales))));
}

INLINE uint32_t factors_q6k(const uint8_t *block) { return load_u16(block + offsetof(block_q6k, scale)); }

// IQ4_XS: eight nibbles, eight times 2 upper bits, minus 32.

INLINE __m256i sub_scales_iq4_xs(const uint8_t *block) {
  const __m256i low = _mm256_set1_epi32(load_i32(block + offsetof(block_iq4_xs, lower_scales)));
  const __m256i upper = _mm256_set1_epi32(load_u16(block + offsetof(block_iq4_xs, upper_scales)));
  const __m256i nibbles = _mm256_and_si256(_mm256_srlv_epi32(low, _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28)),
                                           _mm256_set1_epi32(15));
  const __m256i bits = _mm256_and_si256(_mm256_srlv_epi32(upper, _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14)),
                                        _mm256_set1_epi32(3));
  const __m256i once = _mm256_or_si256(nibbles, _mm256_slli_epi32(bits, 4));
  return _mm256_sub_epi16(_mm256_or_si256(once, _mm256_slli_epi32(once, 16)), _mm256_set1_epi16(32));
}

INLINE uint32_t factors_iq4_xs(const uint8_t *block) { return load_u16(block); }

#endif

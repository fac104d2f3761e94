// Quantization of activations to int8, and completion of received rows, for x86-64.
#pragma STDC FP_CONTRACT OFF
#include "quant_activations.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

/// Sums of 2 x 16 consecutive int8 as two int16, the first one in the low half.
INLINE int32_t sums_of_32(__m256i elements) {
  // Sums of 8 bytes made unsigned by adding 128 to each.
  const __m256i eights = _mm256_sad_epu8(_mm256_xor_si256(elements, _mm256_set1_epi8(-128)), _mm256_setzero_si256());
  const __m256i sixteens = _mm256_add_epi64(eights, _mm256_srli_si256(eights, 8));
  const int32_t low = _mm_cvtsi128_si32(_mm256_castsi256_si128(sixteens)) - 16 * 128;
  const int32_t high = _mm_cvtsi128_si32(_mm256_extracti128_si256(sixteens, 1)) - 16 * 128;
  return (int32_t)((uint32_t)(low & 0xffff) | (uint32_t)high << 16);
}

INLINE uint32_t largest_of_8(__m256i values) {
  __m128i half = _mm_max_epi32(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
  half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
  return (uint32_t)_mm_cvtsi128_si32(half);
}

INLINE bool quantize_avx2(const float *input, size_t elements, void *base, size_t block) {
  const activation_row row = activation_row_at(base, elements, block);
  const __m256i magnitude_bits = _mm256_set1_epi32(0x7fffffff);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  for (size_t start = 0; start < elements; start += block) {
    __m256i largest = _mm256_setzero_si256();
    for (size_t i = start; i < start + block; i += 8) {
      const __m256i bits = _mm256_loadu_si256((const void *)(input + i));
      largest = _mm256_max_epi32(largest, _mm256_and_si256(bits, magnitude_bits));
    }
    const uint32_t largest_bits = largest_of_8(largest);
    if (largest_bits >= INFINITY_BITS) return false;
    const __m256 inverse = _mm256_set1_ps(block_inverse(largest_bits, &row.scales[start / block]));
    for (size_t i = start; i < start + block; i += 32) {
      __m256i rounded[4];
      for (int j = 0; j < 4; j++)
        rounded[j] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(input + i + 8 * j), inverse));
      const __m256i low = _mm256_packs_epi32(rounded[0], rounded[1]), high = _mm256_packs_epi32(rounded[2], rounded[3]);
      __m256i packed = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
      packed = _mm256_max_epi8(packed, _mm256_set1_epi8(-127));
      _mm256_storeu_si256((void *)(row.elements + i), packed);
      const int32_t sums = sums_of_32(packed);
      memcpy(row.sums + i / 16, &sums, sizeof sums);
    }
  }
  return true;
}

INLINE bool complete_avx2(size_t elements, void *base, size_t block) {
  const activation_row row = activation_row_at(base, elements, block);
  for (size_t i = 0; i < elements / block; i++)
    if (load_u32(&row.scales[i]) >= INFINITY_BITS) return false;
  __m256i refused = _mm256_setzero_si256();
  for (size_t i = 0; i < elements; i += 32) {
    const __m256i values = _mm256_loadu_si256((const void *)(row.elements + i));
    refused = _mm256_or_si256(refused, _mm256_cmpeq_epi8(values, _mm256_set1_epi8(-128)));
    const int32_t sums = sums_of_32(values);
    memcpy(row.sums + i / 16, &sums, sizeof sums);
  }
  return _mm256_testz_si256(refused, refused);
}

bool ck_quantize_int8x32_avx2(const float *input, size_t elements, void *row) {
  return quantize_avx2(input, elements, row, 32);
}

bool ck_quantize_int8x256_avx2(const float *input, size_t elements, void *row) {
  return quantize_avx2(input, elements, row, 256);
}

bool ck_complete_int8x32_avx2(size_t elements, void *row) { return complete_avx2(elements, row, 32); }

bool ck_complete_int8x256_avx2(size_t elements, void *row) { return complete_avx2(elements, row, 256); }

#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)

INLINE bool quantize_avx512(const float *input, size_t elements, void *base, size_t block) {
  const activation_row row = activation_row_at(base, elements, block);
  const __m512i magnitude_bits = _mm512_set1_epi32(0x7fffffff);
  for (size_t start = 0; start < elements; start += block) {
    __m512i largest = _mm512_setzero_si512();
    for (size_t i = start; i < start + block; i += 16)
      largest = _mm512_max_epi32(largest, _mm512_and_si512(_mm512_loadu_si512(input + i), magnitude_bits));
    const uint32_t largest_bits = (uint32_t)_mm512_reduce_max_epi32(largest);
    if (largest_bits >= INFINITY_BITS) return false;
    const __m512 inverse = _mm512_set1_ps(block_inverse(largest_bits, &row.scales[start / block]));
    for (size_t i = start; i < start + block; i += 16) {
      const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(input + i), inverse));
      const __m128i packed = _mm_max_epi8(_mm512_cvtsepi32_epi8(rounded), _mm_set1_epi8(-127));
      _mm_storeu_si128((void *)(row.elements + i), packed);
      const __m128i eights = _mm_sad_epu8(_mm_xor_si128(packed, _mm_set1_epi8(-128)), _mm_setzero_si128());
      row.sums[i / 16] = (int16_t)(_mm_extract_epi16(eights, 0) + _mm_extract_epi16(eights, 4) - 16 * 128);
    }
  }
  return true;
}

bool ck_quantize_int8x32_avx512(const float *input, size_t elements, void *row) {
  return quantize_avx512(input, elements, row, 32);
}

bool ck_quantize_int8x256_avx512(const float *input, size_t elements, void *row) {
  return quantize_avx512(input, elements, row, 256);
}

#pragma clang attribute pop
#endif

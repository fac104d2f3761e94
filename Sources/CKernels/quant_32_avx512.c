// The types with blocks of 32 for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_32_avx512.h"

// Codes of two blocks. Those with signs are made unsigned by adding 128.

INLINE __m256i broadcast_128(const void *bytes) { return _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes)); }

/// Low nibbles of 16 bytes of each of two blocks, then their high ones.
INLINE __m512i nibbles_of_16(const uint8_t *low, const uint8_t *high, size_t offset) {
  const __m256i shift = _mm256_inserti128_si256(_mm256_setzero_si256(), _mm_set1_epi16(4), 1);
  const __m512i bytes = join_256(broadcast_128(low + offset), broadcast_128(high + offset));
  return _mm512_and_si512(_mm512_srlv_epi16(bytes, join_256(shift, shift)), _mm512_set1_epi8(15));
}

/// Adds the fifth bits at `bits` of each block to nibbles.
INLINE __m512i add_fifth_bits(__m512i nibbles, const uint8_t *low, const uint8_t *high, size_t bits) {
  const __mmask64 fifth = load_u32(low + bits) | (uint64_t)load_u32(high + bits) << 32;
  return _mm512_mask_add_epi8(nibbles, fifth, nibbles, _mm512_set1_epi8(16));
}

INLINE __m512i codes_q4_0(const uint8_t *low, const uint8_t *high) {
  return nibbles_of_16(low, high, offsetof(block_q4_0, nibbles));
}

INLINE __m512i codes_q4_1(const uint8_t *low, const uint8_t *high) {
  return nibbles_of_16(low, high, offsetof(block_q4_1, nibbles));
}

INLINE __m512i codes_q5_0(const uint8_t *low, const uint8_t *high) {
  const __m512i nibbles = nibbles_of_16(low, high, offsetof(block_q5_0, nibbles));
  return add_fifth_bits(nibbles, low, high, offsetof(block_q5_0, fifth_bits));
}

INLINE __m512i codes_q5_1(const uint8_t *low, const uint8_t *high) {
  const __m512i nibbles = nibbles_of_16(low, high, offsetof(block_q5_1, nibbles));
  return add_fifth_bits(nibbles, low, high, offsetof(block_q5_1, fifth_bits));
}

INLINE __m512i codes_q8_0(const uint8_t *low, const uint8_t *high) {
  const size_t codes = offsetof(block_q8_0, codes);
  const __m256i first = _mm256_loadu_si256((const void *)(low + codes));
  const __m512i both = join_256(first, _mm256_loadu_si256((const void *)(high + codes)));
  return _mm512_xor_si512(both, _mm512_set1_epi8(-128));
}

INLINE __m512i codes_iq4_nl(const uint8_t *low, const uint8_t *high) {
  return look_up(iq4_codes, 128, nibbles_of_16(low, high, offsetof(block_q4_0, nibbles)));
}

INLINE __m512i codes_mxfp4(const uint8_t *low, const uint8_t *high) {
  return look_up(fp4_codes, 12, nibbles_of_16(low, high, offsetof(block_mxfp4, nibbles)));
}

// Types

#define TYPE_32(name, block, factors_of, scales_of, ...)                                                             \
  static const type_32 name = {.codes = codes_##name,                                                                \
                               .factors = factors_of,                                                                \
                               .scales = scales_of,                                                                  \
                               .block_bytes = sizeof(block),                                                         \
                               __VA_ARGS__};                                                                         \
  CK_MULTIPLY(ck_multiply_##name##_avx512) { multiply(&name, &PRODUCT_OF_ARGUMENTS); }

TYPE_32(q4_0, block_q4_0, factors_scale, floats_of_halves, .offset = 8)
TYPE_32(q4_1, block_q4_1, factors_both, floats_of_halves, .minimum = true)
TYPE_32(q5_0, block_q5_0, factors_scale, floats_of_halves, .offset = 16)
TYPE_32(q5_1, block_q5_1, factors_both, floats_of_halves, .minimum = true)
TYPE_32(q8_0, block_q8_0, factors_scale, floats_of_halves, .offset = 128)
TYPE_32(iq4_nl, block_q4_0, factors_scale, floats_of_halves, .offset = 128)
TYPE_32(mxfp4, block_mxfp4, factors_exponent, floats_of_exponents, .offset = 12)

#pragma clang attribute pop
#endif

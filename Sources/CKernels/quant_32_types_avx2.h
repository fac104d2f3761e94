/// The types with blocks of 32 for AVX2. Included with CK_LEVEL and CK_VNNI defined, after the target attribute is
/// pushed.
#ifndef QUANT_32_TYPES_AVX2_H
#define QUANT_32_TYPES_AVX2_H

#include "quant_32_avx2.h"

// Codes

/// 32 bits as the fifth bits of 32 bytes.
INLINE __m256i fifth_bits(const uint8_t *bits) {
  const __m256i order = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
  const __m256i places = _mm256_set1_epi64x((long long)0x8040201008040201);
  const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(broadcast_32(bits), order), places);
  return _mm256_and_si256(_mm256_cmpeq_epi8(spread, places), _mm256_set1_epi8(16));
}

INLINE __m256i codes_q4_0(const uint8_t *block) { return nibbles_of_16(block + offsetof(block_q4_0, nibbles)); }

INLINE __m256i codes_q4_1(const uint8_t *block) { return nibbles_of_16(block + offsetof(block_q4_1, nibbles)); }

INLINE __m256i codes_q5_0(const uint8_t *block) {
  const __m256i nibbles = nibbles_of_16(block + offsetof(block_q5_0, nibbles));
  return _mm256_or_si256(nibbles, fifth_bits(block + offsetof(block_q5_0, fifth_bits)));
}

INLINE __m256i codes_q5_1(const uint8_t *block) {
  const __m256i nibbles = nibbles_of_16(block + offsetof(block_q5_1, nibbles));
  return _mm256_or_si256(nibbles, fifth_bits(block + offsetof(block_q5_1, fifth_bits)));
}

INLINE __m256i codes_q8_0(const uint8_t *block) { return load_256(block + offsetof(block_q8_0, codes)); }

INLINE __m256i codes_iq4_nl(const uint8_t *block) {
  return look_up(iq4_codes, 0, nibbles_of_16(block + offsetof(block_q4_0, nibbles)));
}

INLINE __m256i codes_mxfp4(const uint8_t *block) {
  return look_up(fp4_codes, 12, nibbles_of_16(block + offsetof(block_mxfp4, nibbles)));
}

// Types. As many sums of two products fit in 16 bits as their largest code * 127 * 2 goes into 32767: 8 of 15 (codes of
// 4 bits), 4 of 24 and of 31.

#define TYPE_32(name, block, factors_of, scales_of, ...)                                                             \
  static const type_32 name = {.codes = codes_##name,                                                                \
                               .factors = factors_of,                                                                \
                               .scales = scales_of,                                                                  \
                               .block_bytes = sizeof(block),                                                         \
                               __VA_ARGS__};                                                                         \
  CK_MULTIPLY(NAME_AT(name, CK_LEVEL)) { multiply(&name, &PRODUCT_OF_ARGUMENTS); }

TYPE_32(q4_0, block_q4_0, factors_scale, floats_of_halves, .offset = 8, .chain = 8)
TYPE_32(q4_1, block_q4_1, factors_both, floats_of_halves, .minimum = true, .chain = 8)
TYPE_32(q5_0, block_q5_0, factors_scale, floats_of_halves, .offset = 16, .chain = 4)
TYPE_32(q5_1, block_q5_1, factors_both, floats_of_halves, .minimum = true, .chain = 4)
TYPE_32(q8_0, block_q8_0, factors_scale, floats_of_halves, .has_signs = true, .chain = 1)
TYPE_32(iq4_nl, block_q4_0, factors_scale, floats_of_halves, .has_signs = true, .chain = 1)
TYPE_32(mxfp4, block_mxfp4, factors_exponent, floats_of_exponents, .offset = 12, .chain = 4)

#endif

/// The types with blocks of 256 for AVX2. Included with CK_LEVEL and CK_VNNI defined, after the target attribute is
/// pushed.
#ifndef QUANT_K_TYPES_AVX2_H
#define QUANT_K_TYPES_AVX2_H

#include "quant_k_avx2.h"

/// 64 bytes of 2-bit codes: bits 0-1 of 32 bytes, then their bits 2-3 and so on.
INLINE void two_bits(const uint8_t bytes[64], __m256i codes[8]) {
  UNROLL for (int i = 0; i < 8; i++) {
    const __m256i moved = _mm256_srli_epi16(load_256(bytes + 32 * (i / 4)), 2 * (i % 4));
    codes[i] = _mm256_and_si256(moved, _mm256_set1_epi8(3));
  }
}

/// Adds a bit to codes of `place` bits: bit i of 32 bytes belongs to the 32 codes i.
INLINE void add_bits(const uint8_t bytes[32], int place, __m256i codes[8]) {
  const __m256i bits = load_256(bytes);
  UNROLL for (int i = 0; i < 8; i++) {
    const __m256i moved = i < place ? _mm256_slli_epi16(bits, place - i) : _mm256_srli_epi16(bits, i - place);
    codes[i] = _mm256_or_si256(codes[i], _mm256_and_si256(moved, _mm256_set1_epi8((char)(1 << place))));
  }
}

INLINE void codes_q2k(const uint8_t *block, __m256i codes[8]) { two_bits(block + offsetof(block_q2k, codes), codes); }

INLINE void codes_q3k(const uint8_t *block, __m256i codes[8]) {
  two_bits(block + offsetof(block_q3k, codes), codes);
  add_bits(block + offsetof(block_q3k, third_bits), 2, codes);
}

/// Low nibbles of 32 bytes, then their high ones.
INLINE void nibbles_of_32(const uint8_t *bytes, __m256i codes[2]) {
  const __m256i loaded = load_256(bytes), mask = _mm256_set1_epi8(15);
  codes[0] = _mm256_and_si256(loaded, mask);
  codes[1] = _mm256_and_si256(_mm256_srli_epi16(loaded, 4), mask);
}

INLINE void codes_q4k(const uint8_t *bytes, __m256i codes[8]) {
  const block_q4k *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 4; i++) nibbles_of_32(block->nibbles + 32 * i, codes + 2 * i);
}

INLINE void codes_q5k(const uint8_t *bytes, __m256i codes[8]) {
  const block_q5k *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 4; i++) nibbles_of_32(block->nibbles + 32 * i, codes + 2 * i);
  add_bits(block->fifth_bits, 4, codes);
}

INLINE void codes_q6k(const uint8_t *bytes, __m256i codes[8]) {
  const block_q6k *block = (const void *)bytes;
  const __m256i low_mask = _mm256_set1_epi8(15), upper_mask = _mm256_set1_epi8(0x30);
  UNROLL for (int half = 0; half < 2; half++) {
    const __m256i upper = load_256(block->upper_bits + 32 * half);
    UNROLL for (int quarter = 0; quarter < 4; quarter++) {
      const __m256i nibbles = load_256(block->nibbles + 64 * half + 32 * (quarter % 2));
      const __m256i low = quarter < 2 ? nibbles : _mm256_srli_epi16(nibbles, 4);
      // Upper bits are at 2 * quarter; they are wanted at 4-5.
      const __m256i high =
          quarter < 2 ? _mm256_slli_epi16(upper, 4 - 2 * quarter) : _mm256_srli_epi16(upper, 2 * quarter - 4);
      codes[4 * half + quarter] = _mm256_or_si256(_mm256_and_si256(low, low_mask), _mm256_and_si256(high, upper_mask));
    }
  }
}

INLINE void codes_iq4_xs(const uint8_t *bytes, __m256i codes[8]) {
  const block_iq4_xs *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 8; i++) codes[i] = look_up(iq4_codes, 0, nibbles_of_16(block->nibbles + 16 * i));
}

// Types. As many sums of two products fit in 16 bits as their largest code * 127 * 2 goes into 32767.

#define TYPE_K(name, ...)                                                                                            \
  static const k_type name = {.codes = codes_##name, .block_bytes = sizeof(block_##name), __VA_ARGS__};              \
  CK_MULTIPLY(NAME_AT(name, CK_LEVEL)) { multiply(&name, &PRODUCT_OF_ARGUMENTS); }

TYPE_K(q2k, .sub_scales = sub_scales_q2k, .minimums = minimums_q2k, .factors = factors_q2k, .sub_block = 16,
       .chain = 4)
TYPE_K(q3k, .sub_scales = sub_scales_q3k, .factors = factors_q3k, .offset = 4, .sub_block = 16, .chain = 4)
TYPE_K(q4k, .sub_scales = sub_scales_45k, .minimums = minimums_45k, .factors = factors_45k, .sub_block = 32,
       .chain = 8)
TYPE_K(q5k, .sub_scales = sub_scales_45k, .minimums = minimums_45k, .factors = factors_45k, .sub_block = 32,
       .chain = 4)
TYPE_K(q6k, .sub_scales = sub_scales_q6k, .factors = factors_q6k, .offset = 32, .sub_block = 16, .chain = 2)
TYPE_K(iq4_xs, .sub_scales = sub_scales_iq4_xs, .factors = factors_iq4_xs, .has_signs = true, .sub_block = 32,
       .chain = 1)

#endif

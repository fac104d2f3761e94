// The types with blocks of 256 for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_k_avx512_lay.h"

/// 64 bytes of 2-bit codes: bits 0-1 of 32 bytes, then their bits 2-3 and so on.
INLINE void two_bits(const uint8_t bytes[64], __m512i codes[4]) {
  UNROLL for (int i = 0; i < 4; i++) {
    const __m256i first = _mm256_set1_epi16((short)(4 * (i % 2))), second = _mm256_set1_epi16((short)(4 * (i % 2) + 2));
    const __m512i moved = _mm512_srlv_epi16(broadcast_256(bytes + 32 * (i / 2)), join_256(first, second));
    codes[i] = _mm512_and_si512(moved, _mm512_set1_epi8(3));
  }
}

/// Adds a bit of value `value` to codes: bit i of 32 bytes belongs to the 32 codes i.
INLINE void add_bits(const uint8_t bytes[32], int value, __m512i codes[4]) {
  const __m512i bits = broadcast_256(bytes);
  UNROLL for (int i = 0; i < 4; i++) {
    const __m512i wanted = join_256(_mm256_set1_epi8((char)(1 << 2 * i)), _mm256_set1_epi8((char)(2 << 2 * i)));
    const __mmask64 set = _mm512_test_epi8_mask(bits, wanted);
    codes[i] = _mm512_mask_add_epi8(codes[i], set, codes[i], _mm512_set1_epi8((char)value));
  }
}

INLINE void codes_q2k(const uint8_t *block, __m512i codes[4]) { two_bits(block + offsetof(block_q2k, codes), codes); }

INLINE void codes_q3k(const uint8_t *block, __m512i codes[4]) {
  two_bits(block + offsetof(block_q3k, codes), codes);
  add_bits(block + offsetof(block_q3k, third_bits), 4, codes);
}

/// Low nibbles of 32 bytes, then their high ones.
INLINE __m512i nibbles_of_32(const uint8_t *bytes) {
  const __m512i shift = join_256(_mm256_setzero_si256(), _mm256_set1_epi16(4));
  return _mm512_and_si512(_mm512_srlv_epi16(broadcast_256(bytes), shift), _mm512_set1_epi8(15));
}

INLINE void codes_q4k(const uint8_t *bytes, __m512i codes[4]) {
  const block_q4k *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 4; i++) codes[i] = nibbles_of_32(block->nibbles + 32 * i);
}

INLINE void codes_q5k(const uint8_t *bytes, __m512i codes[4]) {
  const block_q5k *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 4; i++) codes[i] = nibbles_of_32(block->nibbles + 32 * i);
  add_bits(block->fifth_bits, 16, codes);
}

INLINE void codes_q6k(const uint8_t *bytes, __m512i codes[4]) {
  const block_q6k *block = (const void *)bytes;
  const __m512i low_mask = _mm512_set1_epi8(15), upper_mask = _mm512_set1_epi8(0x30);
  // Upper bits are at 0-1 of the first 32 codes, 2-3 of the next and so on; they are wanted at 4-5.
  const __m512i left = join_256(_mm256_set1_epi16(4), _mm256_set1_epi16(2));
  const __m512i right = join_256(_mm256_setzero_si256(), _mm256_set1_epi16(2));
  UNROLL for (int half = 0; half < 2; half++) {
    const __m512i nibbles = load_512(block->nibbles + 64 * half), upper = broadcast_256(block->upper_bits + 32 * half);
    codes[2 * half] = _mm512_or_si512(_mm512_and_si512(nibbles, low_mask),
                                      _mm512_and_si512(_mm512_sllv_epi16(upper, left), upper_mask));
    codes[2 * half + 1] = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(nibbles, 4), low_mask),
                                          _mm512_and_si512(_mm512_srlv_epi16(upper, right), upper_mask));
  }
}

INLINE void codes_iq4_xs(const uint8_t *bytes, __m512i codes[4]) {
  const block_iq4_xs *block = (const void *)bytes;
  const __m256i shift = _mm256_inserti128_si256(_mm256_setzero_si256(), _mm_set1_epi16(4), 1);
  UNROLL for (int i = 0; i < 4; i++) {
    const __m512i both = broadcast_256(block->nibbles + 32 * i);
    const __m512i bytes_twice = _mm512_shuffle_i64x2(both, both, 0x50);
    const __m512i moved = _mm512_srlv_epi16(bytes_twice, join_256(shift, shift));
    codes[i] = look_up(iq4_codes, 128, _mm512_and_si512(moved, _mm512_set1_epi8(15)));
  }
}

// Types

#define TYPE_K(name, ...)                                                                                            \
  static const k_type name = {.codes = codes_##name, .block_bytes = sizeof(block_##name), __VA_ARGS__};              \
  CK_MULTIPLY(ck_multiply_##name##_avx512) { multiply(&name, &PRODUCT_OF_ARGUMENTS); }

TYPE_K(q2k, .sub_scales = sub_scales_q2k, .minimums = minimums_q2k, .factors = factors_q2k, .sub_block = 16)
TYPE_K(q3k, .sub_scales = sub_scales_q3k, .factors = factors_q3k, .offset = 4, .sub_block = 16)
TYPE_K(q4k, .sub_scales = sub_scales_45k, .minimums = minimums_45k, .factors = factors_45k, .lay = lay_q4k,
       .sub_block = 32)
TYPE_K(q5k, .sub_scales = sub_scales_45k, .minimums = minimums_45k, .factors = factors_45k, .lay = lay_q5k,
       .sub_block = 32)
TYPE_K(q6k, .sub_scales = sub_scales_q6k, .factors = factors_q6k, .lay = lay_q6k, .offset = 32, .sub_block = 16)
TYPE_K(iq4_xs, .sub_scales = sub_scales_iq4_xs, .factors = factors_iq4_xs, .wide = true, .offset = 128,
       .sub_block = 32)

#pragma clang attribute pop
#endif

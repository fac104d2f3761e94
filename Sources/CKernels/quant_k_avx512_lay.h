/// Blocks of 256 laid side by side for AVX-512, faster than by way of their codes. Included after the target attribute
/// is pushed.
#ifndef QUANT_K_AVX512_LAY_H
#define QUANT_K_AVX512_LAY_H

#include "quant_k_avx512.h"

// Q4_K and Q5_K

/// Scales and minimums of Q4_K and Q5_K from the first 16 bytes of blocks, 4 bytes a lane.
INLINE void factors_of_head(const __m512i head[4], panel_factors *factors) {
  const __m512i six_bits = _mm512_set1_epi32(0x3f3f3f3f), nibbles = _mm512_set1_epi32(0x0f0f0f0f);
  const __m512i two_bits = _mm512_set1_epi32(0x30303030), byte = _mm512_set1_epi32(0xff);
  factors->scale = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(head[0]));
  factors->minimum = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(head[0], 16)));
  const __m512i scales[2] = {
      _mm512_and_si512(head[1], six_bits),
      _mm512_or_si512(_mm512_and_si512(head[3], nibbles), _mm512_and_si512(_mm512_srli_epi32(head[1], 2), two_bits))};
  const __m512i minimums[2] = {
      _mm512_and_si512(head[2], six_bits),
      _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(head[3], 4), nibbles),
                      _mm512_and_si512(_mm512_srli_epi32(head[2], 2), two_bits))};
  UNROLL for (int j = 0; j < 8; j++) {
    factors->sub_scales[j] = _mm512_and_si512(_mm512_srli_epi32(scales[j / 4], (unsigned)(8 * (j % 4))), byte);
    const __m512i minimum = _mm512_and_si512(_mm512_srli_epi32(minimums[j / 4], (unsigned)(8 * (j % 4))), byte);
    factors->sum_factors[j] = _mm512_or_si512(minimum, _mm512_slli_epi32(minimum, 16));
  }
}

/// `nibbles` is the offset of the nibbles in the block, `fifth_bits` that of the fifth bits or 0.
INLINE void lay_45k(const uint8_t *const blocks[16], panel *panel, size_t nibbles, size_t fifth_bits) {
  const __m512i low_mask = _mm512_set1_epi8(15), bit = _mm512_set1_epi8(16);
  __m512i head[4], bits[8];
  transpose_16_bytes(blocks, 0, head);
  factors_of_head(head, &panel->factors);
  if (fifth_bits) {
    transpose_16_bytes(blocks, fifth_bits, bits);
    transpose_16_bytes(blocks, fifth_bits + 16, bits + 4);
  }
  UNROLL for (int pair = 0; pair < 4; pair++) {
    UNROLL for (int column = 0; column < 2; column++) {
      __m512i bytes[4];
      transpose_16_bytes(blocks, nibbles + (size_t)(32 * pair + 16 * column), bytes);
      UNROLL for (int i = 0; i < 4; i++) {
        __m512i low = _mm512_and_si512(bytes[i], low_mask);
        __m512i high = _mm512_and_si512(_mm512_srli_epi32(bytes[i], 4), low_mask);
        if (fifth_bits) {
          const __m512i five = _mm512_rorv_epi32(bits[4 * column + i], _mm512_set1_epi32((2 * pair + 28) % 32));
          low = _mm512_or_si512(low, _mm512_and_si512(five, bit));
          high = _mm512_or_si512(high, _mm512_and_si512(_mm512_srli_epi32(five, 1), bit));
        }
        panel->codes[16 * pair + 4 * column + i] = low;
        panel->codes[16 * pair + 8 + 4 * column + i] = high;
      }
    }
  }
}

INLINE void lay_q4k(const uint8_t *const blocks[16], panel *panel) {
  lay_45k(blocks, panel, offsetof(block_q4k, nibbles), 0);
}

INLINE void lay_q5k(const uint8_t *const blocks[16], panel *panel) {
  lay_45k(blocks, panel, offsetof(block_q5k, nibbles), offsetof(block_q5k, fifth_bits));
}

// Q6_K

/// Sub-scales from 16 signed bytes of each row, 4 bytes a lane.
INLINE void sub_scales_of_bytes(const __m512i scales[4], panel_factors *factors) {
  UNROLL for (int j = 0; j < 16; j++)
    factors->sub_scales[j] = _mm512_srai_epi32(_mm512_slli_epi32(scales[j / 4], (unsigned)(24 - 8 * (j % 4))), 24);
  UNROLL for (int j = 0; j < 8; j++)
    factors->sum_factors[j] = _mm512_mask_blend_epi16(0xaaaaaaaau, factors->sub_scales[2 * j],
                                                      _mm512_slli_epi32(factors->sub_scales[2 * j + 1], 16));
}

INLINE void lay_q6k(const uint8_t *const blocks[16], panel *panel) {
  const __m512i low_mask = _mm512_set1_epi8(15), upper_mask = _mm512_set1_epi8(0x30);
  UNROLL for (int half = 0; half < 2; half++) {
    UNROLL for (int column = 0; column < 2; column++) {
      // 16 bytes of upper bits, and the nibbles they complete: of elements 16 c, and of elements 32 + 16 c and so on.
      __m512i upper[4], nibbles[2][4];
      const size_t start = (size_t)(16 * column);
      transpose_16_bytes(blocks, offsetof(block_q6k, upper_bits) + (size_t)(32 * half) + start, upper);
      transpose_16_bytes(blocks, (size_t)(64 * half) + start, nibbles[0]);
      transpose_16_bytes(blocks, (size_t)(64 * half + 32) + start, nibbles[1]);
      UNROLL for (int quarter = 0; quarter < 4; quarter++) {
        UNROLL for (int i = 0; i < 4; i++) {
          const __m512i low = _mm512_srlv_epi32(nibbles[quarter % 2][i], _mm512_set1_epi32(quarter / 2 * 4));
          const __m512i high = _mm512_rorv_epi32(upper[i], _mm512_set1_epi32((2 * quarter + 28) % 32));
          panel->codes[32 * half + 8 * quarter + 4 * column + i] =
              _mm512_or_si512(_mm512_and_si512(low, low_mask), _mm512_and_si512(high, upper_mask));
        }
      }
    }
  }
  __m512i scales[4];
  transpose_16_bytes(blocks, offsetof(block_q6k, sub_scales), scales);
  sub_scales_of_bytes(scales, &panel->factors);
  uint16_t halves[16];
  UNROLL for (int r = 0; r < 16; r++) halves[r] = load_u16(blocks[r] + offsetof(block_q6k, scale));
  panel->factors.scale = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)halves));
}

#endif

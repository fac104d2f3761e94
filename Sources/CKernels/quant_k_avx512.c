// The K-quants (blocks of 256) for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_k_avx512.h"

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
  const __m512i bits = broadcast_256(block->fifth_bits);
  UNROLL for (int i = 0; i < 4; i++) {
    const __m512i wanted = join_256(_mm256_set1_epi8((char)(1 << 2 * i)), _mm256_set1_epi8((char)(2 << 2 * i)));
    const __m512i nibbles = nibbles_of_32(block->nibbles + 32 * i);
    codes[i] = _mm512_mask_add_epi8(nibbles, _mm512_test_epi8_mask(bits, wanted), nibbles, _mm512_set1_epi8(16));
  }
}

/// Scales and minimums of a panel from the first 16 bytes of its blocks.
INLINE void lay_scales_45k(const uint8_t *const blocks[16], panel *panel) {
  __m512i head[4];
  transpose_16_bytes(blocks, 0, head);
  const __m512i six_bits = _mm512_set1_epi32(0x3f3f3f3f), nibbles = _mm512_set1_epi32(0x0f0f0f0f);
  const __m512i two_bits = _mm512_set1_epi32(0x30303030), byte = _mm512_set1_epi32(0xff);
  panel->scale = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(head[0]));
  panel->minimum = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(head[0], 16)));
  const __m512i scales[2] = {
      _mm512_and_si512(head[1], six_bits),
      _mm512_or_si512(_mm512_and_si512(head[3], nibbles), _mm512_and_si512(_mm512_srli_epi32(head[1], 2), two_bits))};
  const __m512i minimums[2] = {
      _mm512_and_si512(head[2], six_bits),
      _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(head[3], 4), nibbles),
                      _mm512_and_si512(_mm512_srli_epi32(head[2], 2), two_bits))};
  UNROLL for (int j = 0; j < 8; j++) {
    panel->sub_scales[j] = _mm512_and_si512(_mm512_srli_epi32(scales[j / 4], (unsigned)(8 * (j % 4))), byte);
    const __m512i minimum = _mm512_and_si512(_mm512_srli_epi32(minimums[j / 4], (unsigned)(8 * (j % 4))), byte);
    panel->sum_factors[j] = _mm512_or_si512(minimum, _mm512_slli_epi32(minimum, 16));
  }
}

/// `nibbles` is the offset of the nibbles in the block, `fifth_bits` that of the fifth bits or 0.
INLINE void lay_45k(const uint8_t *const blocks[16], panel *panel, size_t nibbles, size_t fifth_bits) {
  const __m512i low_mask = _mm512_set1_epi8(15), bit = _mm512_set1_epi8(16);
  __m512i bits[8];
  lay_scales_45k(blocks, panel);
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

static const k_type q4k = {.codes = codes_q4k,
                           .sub_scales = sub_scales_45k,
                           .minimums = minimums_45k,
                           .factors = factors_45k,
                           .lay = lay_q4k,
                           .block_bytes = sizeof(block_q4k),
                           .sub_block = 32};

static const k_type q5k = {.codes = codes_q5k,
                           .sub_scales = sub_scales_45k,
                           .minimums = minimums_45k,
                           .factors = factors_45k,
                           .lay = lay_q5k,
                           .block_bytes = sizeof(block_q5k),
                           .sub_block = 32};

CK_MULTIPLY(ck_multiply_q4k_avx512) { multiply(&q4k, &PRODUCT_OF_ARGUMENTS); }

CK_MULTIPLY(ck_multiply_q5k_avx512) { multiply(&q5k, &PRODUCT_OF_ARGUMENTS); }

// Q6_K

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

INLINE __m256i sub_scales_q6k(const uint8_t *block) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)(block + offsetof(block_q6k, sub_scales))));
}

INLINE uint32_t factors_q6k(const uint8_t *block) { return load_u16(block + offsetof(block_q6k, scale)); }

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
  UNROLL for (int j = 0; j < 16; j++)
    panel->sub_scales[j] = _mm512_srai_epi32(_mm512_slli_epi32(scales[j / 4], (unsigned)(24 - 8 * (j % 4))), 24);
  UNROLL for (int j = 0; j < 8; j++)
    panel->sum_factors[j] = _mm512_mask_blend_epi16(0xaaaaaaaau, panel->sub_scales[2 * j],
                                                    _mm512_slli_epi32(panel->sub_scales[2 * j + 1], 16));
  uint16_t halves[16];
  UNROLL for (int r = 0; r < 16; r++) halves[r] = load_u16(blocks[r] + offsetof(block_q6k, scale));
  panel->scale = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)halves));
}

static const k_type q6k = {.codes = codes_q6k,
                           .sub_scales = sub_scales_q6k,
                           .factors = factors_q6k,
                           .lay = lay_q6k,
                           .block_bytes = sizeof(block_q6k),
                           .offset = 32,
                           .sub_block = 16};

CK_MULTIPLY(ck_multiply_q6k_avx512) { multiply(&q6k, &PRODUCT_OF_ARGUMENTS); }

#pragma clang attribute pop
#endif

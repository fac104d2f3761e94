/// What the AVX2 products of panels share. Included after the target attribute is pushed.
///
/// A vector of a panel has the 4 bytes of 16 rows: AVX2 takes it as two halves of 8 rows, both before the next vector,
/// so that each broadcast of 4 activations meets both.
#ifndef QUANT_PANELS_AVX2_H
#define QUANT_PANELS_AVX2_H

#include "quant_avx2.h"
#include "quant_panels.h"

/// Has a value computed here: the compiler would rather gather up long sums and compute them later, half after half,
/// with more vectors waiting than there are registers.
INLINE __m256i in_order(__m256i value) {
  __asm__ volatile("" : "+x"(value));
  return value;
}

/// Unit `number` of 8 rows.
INLINE __m256i unit(const uint8_t *block, int number, int half) { return load_256(block + 64 * number + 32 * half); }

/// The low or high 4 bits of each byte.
INLINE __m256i nibbles_of(__m256i bytes, int high) {
  return _mm256_and_si256(high ? _mm256_srli_epi32(bytes, 4) : bytes, _mm256_set1_epi8(15));
}

/// Sums of two products in 16 bits. For signed codes the sign goes to the activation: 2 * 128 * 127 fits.
INLINE __m256i multiply_codes(bool has_signs, __m256i codes, __m256i activations) {
  if (!has_signs) return _mm256_maddubs_epi16(codes, activations);
  return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(activations, codes));
}

/// Adds sub-scale * sums of products in 16 bits.
INLINE __m256i add_dots(__m256i total, __m256i dots, __m256i sub_scales) {
  return _mm256_add_epi32(total, _mm256_madd_epi16(dots, sub_scales));
}

/// Adds sub-scale * (`chain` vectors of codes of 16 rows * activations from number `start` on) to the totals of `count`
/// activation rows.
INLINE void multiply_chain(const __m256i (*codes)[2], int chain, bool has_signs, const activation_row *activations,
                           size_t start, int count, const __m256i sub_scales[2], __m256i (*totals)[2]) {
  __m256i dots[4][2];
  UNROLL for (int g = 0; g < chain; g++) {
    UNROLL for (int i = 0; i < count; i++) {
      const __m256i values = broadcast_32(activations[i].elements + start + 4 * (size_t)g);
      UNROLL for (int h = 0; h < 2; h++) {
        const __m256i dot = multiply_codes(has_signs, codes[g][h], values);
        dots[i][h] = in_order(g == 0 ? dot : _mm256_add_epi16(dots[i][h], dot));
      }
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    UNROLL for (int h = 0; h < 2; h++) totals[i][h] = add_dots(totals[i][h], dots[i][h], sub_scales[h]);
  }
}

/// Moves bytes inside each lane: byte i of `order` says which of the lane's bytes comes to place i, 0x80 puts a zero.
INLINE __m256i shuffle_lanes(__m256i lanes, uint32_t order) {
  const __m256i starts = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c));
  return _mm256_shuffle_epi8(lanes, _mm256_or_si256(starts, _mm256_set1_epi32((int)order)));
}

/// Two bytes of each lane as two int16.
INLINE __m256i pair_of_bytes(__m256i lanes, int low, int high, bool has_signs) {
  const uint32_t places = (uint32_t)low | (uint32_t)high << 16;
  if (!has_signs) return shuffle_lanes(lanes, 0x80008000 | places);
  return _mm256_srai_epi16(shuffle_lanes(lanes, 0x00800080 | places << 8), 8);
}

/// Float16 of 8 rows behind the units of a block of so many bytes.
INLINE __m256 halves_behind(const uint8_t *block, size_t block_bytes, int half) {
  return load_8_halves((const void *)(block + 64 * UNITS_OF(block_bytes) + 16 * half));
}

#endif

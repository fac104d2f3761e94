/// What the AVX2 products share. Included after the target attribute is pushed.
#ifndef QUANT_AVX2_H
#define QUANT_AVX2_H

#include "quant_product.h"
#include <immintrin.h>

/// From this many activation rows on, panels are faster than rows.
#define PANEL_ACTIVATIONS 5
#define PANEL_ROWS 8

INLINE __m256i load_256(const void *bytes) { return _mm256_loadu_si256(bytes); }

/// The same 4 bytes in all lanes.
INLINE __m256i broadcast_32(const void *bytes) { return _mm256_set1_epi32(load_i32(bytes)); }

/// The same 16 bytes in both 128-bit parts.
INLINE __m256i broadcast_128(const void *bytes) { return _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes)); }

/// From four vectors: in each 128-bit part, the four sums of the four lanes of each vector's part.
INLINE __m256i sum_parts(const __m256i v[4]) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
}

/// Sums of all lanes of four vectors.
INLINE __m128i sum_lanes(const __m256i v[4]) {
  const __m256i parts = sum_parts(v);
  return _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));
}

/// Sums of the two 128-bit parts of two vectors, side by side.
INLINE __m256i add_parts(__m256i a, __m256i b) {
  return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

/// Sums of all lanes of four small vectors.
INLINE __m128i sum_lanes_128(const __m128i v[4]) {
  return _mm_hadd_epi32(_mm_hadd_epi32(v[0], v[1]), _mm_hadd_epi32(v[2], v[3]));
}

/// Takes 16 bytes at `offset` of each of 8 rows apart: vector i gets bytes 4 i to 4 i + 3, row r in lane r.
INLINE void transpose_16_bytes(const uint8_t *const rows[8], size_t offset, __m256i out[4]) {
  __m256i v[4];
  UNROLL for (int j = 0; j < 4; j++) {
    v[j] = _mm256_castsi128_si256(_mm_loadu_si128((const void *)(rows[j] + offset)));
    v[j] = _mm256_inserti128_si256(v[j], _mm_loadu_si128((const void *)(rows[4 + j] + offset)), 1);
  }
  const __m256i ab_low = _mm256_unpacklo_epi32(v[0], v[1]), ab_high = _mm256_unpackhi_epi32(v[0], v[1]);
  const __m256i cd_low = _mm256_unpacklo_epi32(v[2], v[3]), cd_high = _mm256_unpackhi_epi32(v[2], v[3]);
  out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
  out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
  out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
  out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

/// The float16 at `offset` of each of 8 rows.
INLINE __m256 load_8_halves(const uint8_t *const rows[8], size_t offset) {
  uint16_t bits[8];
  UNROLL for (int r = 0; r < 8; r++) bits[r] = load_u16(rows[r] + offset);
  return _mm256_cvtph_ps(_mm_loadu_si128((const void *)bits));
}

/// All bits set in the lanes of 8 rows from `first` on that there are.
INLINE __m256i row_mask(const product *p, size_t first) {
  const int left = (int)MIN(p->weight_rows - first, 8);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#endif

/// What the AVX-512 products share. Included after the target attribute is pushed.
#ifndef QUANT_AVX512_H
#define QUANT_AVX512_H

#include "quant_product.h"
#include <immintrin.h>

#define PANEL_ROWS 16

INLINE __m512i load_512(const void *bytes) { return _mm512_loadu_si512(bytes); }

/// Both halves side by side.
INLINE __m512i join_256(__m256i low, __m256i high) { return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1); }

/// The same 32 bytes in both halves.
INLINE __m512i broadcast_256(const void *bytes) { return _mm512_broadcast_i64x4(_mm256_loadu_si256(bytes)); }

/// The same 4 bytes in all lanes.
INLINE __m512i broadcast_32(const void *bytes) { return _mm512_set1_epi32(load_i32(bytes)); }

/// The codes that nibbles are numbers of, plus `offset`.
INLINE __m512i look_up(const int8_t codes[16], int offset, __m512i nibbles) {
  const __m128i table = _mm_add_epi8(_mm_loadu_si128((const void *)codes), _mm_set1_epi8((char)offset));
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), nibbles);
}

/// 16 bytes of each of 4 rows.
INLINE __m512i load_4_rows(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d) {
  __m512i rows = _mm512_castsi128_si512(_mm_loadu_si128((const void *)a));
  rows = _mm512_inserti32x4(rows, _mm_loadu_si128((const void *)b), 1);
  rows = _mm512_inserti32x4(rows, _mm_loadu_si128((const void *)c), 2);
  return _mm512_inserti32x4(rows, _mm_loadu_si128((const void *)d), 3);
}

/// From four vectors: in each 128-bit part, the four sums of the four lanes of each vector's part.
INLINE __m512i sum_parts(__m512i a, __m512i b, __m512i c, __m512i d) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  return _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
}

/// Sums of all lanes of four vectors.
INLINE __m128i sum_lanes(const __m512i v[4]) {
  const __m512i parts = sum_parts(v[0], v[1], v[2], v[3]);
  const __m256i halves = _mm256_add_epi32(_mm512_castsi512_si256(parts), _mm512_extracti64x4_epi64(parts, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
}

/// Sums of all lanes of four half vectors.
INLINE __m128i sum_lanes_256(const __m256i v[4]) {
  const __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
  const __m256i cd = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
  const __m256i parts = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
  return _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));
}

/// Takes 16 bytes at `offset` of each of 16 rows apart: vector i gets bytes 4 i to 4 i + 3, row r in lane r.
INLINE void transpose_16_bytes(const uint8_t *const rows[16], size_t offset, __m512i out[4]) {
  __m512i v[4];
  UNROLL for (int j = 0; j < 4; j++)
    v[j] = load_4_rows(rows[j] + offset, rows[4 + j] + offset, rows[8 + j] + offset, rows[12 + j] + offset);
  const __m512i ab_low = _mm512_unpacklo_epi32(v[0], v[1]), ab_high = _mm512_unpackhi_epi32(v[0], v[1]);
  const __m512i cd_low = _mm512_unpacklo_epi32(v[2], v[3]), cd_high = _mm512_unpackhi_epi32(v[2], v[3]);
  out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
  out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
  out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
  out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

/// The float16 in the low half of each lane.
INLINE __m512 floats_of_halves(__m512i lanes) { return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(lanes)); }

/// 2^(exponent - 128) of the exponent in the low half of each lane: halves of 2^(exponent - 127), the bits of which are
/// a denormal for 0; for 255 infinity.
INLINE __m512 floats_of_exponents(__m512i lanes) {
  const __m512i bits = _mm512_max_epi32(_mm512_slli_epi32(lanes, 23), _mm512_set1_epi32(0x00400000));
  return _mm512_mul_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(0.5f));
}

/// The lanes of 16 rows from `first` on that there are.
INLINE __mmask16 row_mask(const product *p, size_t first) {
  const size_t left = p->weight_rows - first;
  return left >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
}

#endif

/// What the AVX2 products share. Included after the target attribute is pushed.
///
/// CK_VNNI says how sums of four products of bytes are made: 0, in two steps, with care for 16 bits; 1, by AVX-VNNI;
/// 2, by the AVX-512 form of the same instructions.
#ifndef QUANT_AVX2_H
#define QUANT_AVX2_H

#include "quant_product.h"
#include <immintrin.h>

#define PANEL_ROWS 8

INLINE __m256i load_256(const void *bytes) { return _mm256_loadu_si256(bytes); }

/// Both halves side by side.
INLINE __m256i join_128(__m128i low, __m128i high) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

/// The same 4 bytes in all lanes.
INLINE __m256i broadcast_32(const void *bytes) { return _mm256_set1_epi32(load_i32(bytes)); }

#if CK_VNNI == 1
#define DOT_BYTES _mm256_dpbusd_avx_epi32
#define DOT_PAIRS _mm256_dpwssd_avx_epi32
#elif CK_VNNI
#define DOT_BYTES _mm256_dpbusd_epi32
#define DOT_PAIRS _mm256_dpwssd_epi32
#endif

/// Adds sums of two products of int16.
INLINE __m256i add_pairs(__m256i sums, __m256i left, __m256i right) {
#if CK_VNNI
  return DOT_PAIRS(sums, left, right);
#else
  return _mm256_add_epi32(sums, _mm256_madd_epi16(left, right));
#endif
}

/// Signed codes as unsigned ones, 128 above.
INLINE __m256i make_unsigned(__m256i codes) { return _mm256_xor_si256(codes, _mm256_set1_epi8(-128)); }

/// Low nibbles of 16 bytes, then their high ones.
INLINE __m256i nibbles_of_16(const uint8_t *bytes) {
  const __m128i loaded = _mm_loadu_si128((const void *)bytes);
  return _mm256_and_si256(join_128(loaded, _mm_srli_epi16(loaded, 4)), _mm256_set1_epi8(15));
}

/// The codes that nibbles are numbers of, plus `offset`.
INLINE __m256i look_up(const int8_t codes[16], int offset, __m256i nibbles) {
  const __m128i table = _mm_add_epi8(_mm_loadu_si128((const void *)codes), _mm_set1_epi8((char)offset));
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles);
}

/// From four vectors: in each 128-bit part, the four sums of the four lanes of each vector's part.
INLINE __m256i sum_parts(const __m256i v[4]) {
  return _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
}

/// Sums of all lanes of four vectors.
INLINE __m128i sum_lanes(const __m256i v[4]) {
  const __m256i parts = sum_parts(v);
  return _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256(parts, 1));
}

/// Takes 16 bytes at `offset` of each of 8 rows apart: vector i gets bytes 4 i to 4 i + 3, row r in lane r.
INLINE void transpose_16_bytes(const uint8_t *const rows[8], size_t offset, __m256i out[4]) {
  __m256i v[4];
  UNROLL for (int j = 0; j < 4; j++) {
    v[j] = join_128(_mm_loadu_si128((const void *)(rows[j] + offset)),
                    _mm_loadu_si128((const void *)(rows[4 + j] + offset)));
  }
  const __m256i ab_low = _mm256_unpacklo_epi32(v[0], v[1]), ab_high = _mm256_unpackhi_epi32(v[0], v[1]);
  const __m256i cd_low = _mm256_unpacklo_epi32(v[2], v[3]), cd_high = _mm256_unpackhi_epi32(v[2], v[3]);
  out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
  out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
  out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
  out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

/// 8 float16.
INLINE __m256 load_8_halves(const uint16_t halves[8]) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const void *)halves));
}

/// The float16 in the low half of each lane.
INLINE __m256 floats_of_halves(__m256i lanes) {
  const __m256i low = _mm256_and_si256(lanes, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

/// 2^(exponent - 128) of the exponent in the low half of each lane: halves of 2^(exponent - 127), the bits of which are
/// a denormal for 0; for 255 infinity.
INLINE __m256 floats_of_exponents(__m256i lanes) {
  const __m256i bits = _mm256_max_epi32(_mm256_slli_epi32(lanes, 23), _mm256_set1_epi32(0x00400000));
  return _mm256_mul_ps(_mm256_castsi256_ps(bits), _mm256_set1_ps(0.5f));
}

/// All bits set in the lanes of 8 rows from `first` on that there are.
INLINE __m256i row_mask(const product *p, size_t first) {
  const int left = (int)MIN(p->weight_rows - first, 8);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#endif

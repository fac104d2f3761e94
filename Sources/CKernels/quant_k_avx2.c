// Products of K-quants (blocks of 256) for AVX2.
//
// Codes are unsigned and at most 63, activations at most 127 in magnitude: a sum of two products is at most 16002, and
// 16-bit sums neither saturate nor wrap as long as `chain` of them are added.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "quant_avx2.h"

/// 8 weight rows of a block side by side; lane r is row r.
typedef struct {
  __m256i codes[64];      // 4 codes a lane, unsigned bytes
  __m256i sub_scales[16]; // two int16, both the sub-scale
  __m256i sum_factors[8]; // two int16: what the sums of 16 activations 2 i and 2 i + 1 count in `sum_total`
  __m256 scale, minimum;
} panel;

/// What a type of block must provide. Its codes are unsigned bytes, `offset` above their values.
typedef struct {
  /// One row: `total` is the lanes whose sum is the block's integer; `minimum_total` those of the minimums, if any.
  void (*row)(const uint8_t *block, const int8_t *activations, const int16_t *sums, __m256i *total,
              __m128i *minimum_total);
  /// Scales and minimums of 4 blocks.
  void (*scales)(const uint8_t *const blocks[4], __m128 *scale, __m128 *minimum);
  /// Lays 8 blocks side by side. The sums count with the minimums, or with the sub-scales if there is an offset.
  void (*lay)(const uint8_t *const blocks[8], panel *panel);
  size_t block_bytes;
  int sub_blocks, offset;
  /// How many sums of two products fit in 16 bits together.
  int chain;
  bool has_minimum;
} k_type;

/// Few activation rows: tiles of 4 weight rows, read block by block.
INLINE void multiply_rows(const k_type *type, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += 4) {
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 256);
      const uint8_t *rows[4];
      rows_from(p, first, 4, rows);
      __m128 sum = _mm_setzero_ps();
      for (size_t b = 0; b < p->elements / 256; b++) {
        __m256i totals[4];
        __m128i minimum_totals[4];
        __m128 scale, minimum;
        UNROLL for (int r = 0; r < 4; r++)
          type->row(rows[r], activation.elements + 256 * b, activation.sums + 16 * b, &totals[r], &minimum_totals[r]);
        const __m128 activation_scale = _mm_set1_ps(activation.scales[b]);
        type->scales(rows, &scale, &minimum);
        sum = _mm_fmadd_ps(_mm_mul_ps(scale, activation_scale), _mm_cvtepi32_ps(sum_lanes(totals)), sum);
        if (type->has_minimum) {
          const __m128 minimum_total = _mm_cvtepi32_ps(sum_lanes_128(minimum_totals));
          sum = _mm_fnmadd_ps(_mm_mul_ps(minimum, activation_scale), minimum_total, sum);
        }
        UNROLL for (int r = 0; r < 4; r++) rows[r] += type->block_bytes;
      }
      const __m128i mask = _mm256_castsi256_si128(row_mask(p, first));
      _mm_maskstore_ps(p->output + a * p->output_stride + first, mask, sum);
    }
  }
}

/// Adds block `b` of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const k_type *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t b) {
  const int groups = 64 / type->sub_blocks;
  const __m256i mask = row_mask(p, first);
  activation_row activations[4];
  __m256i totals[4];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 256);
    totals[i] = _mm256_setzero_si256();
  }
  for (int j = 0; j < type->sub_blocks; j++) {
    const size_t start = 256 * b + (size_t)(4 * groups * j);
    UNROLL for (int link = 0; link < groups; link += type->chain) {
      __m256i dots[4];
      UNROLL for (int g = link; g < link + type->chain; g++) {
        const __m256i codes = panel->codes[j * groups + g];
        UNROLL for (int i = 0; i < count; i++) {
          const __m256i dot = _mm256_maddubs_epi16(codes, broadcast_32(activations[i].elements + start + 4 * g));
          dots[i] = g == link ? dot : _mm256_add_epi16(dots[i], dot);
        }
      }
      UNROLL for (int i = 0; i < count; i++)
        totals[i] = _mm256_add_epi32(totals[i], _mm256_madd_epi16(dots[i], panel->sub_scales[j]));
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    const __m256 activation_scale = _mm256_set1_ps(activations[i].scales[b]);
    __m256i sum_total = _mm256_setzero_si256();
    UNROLL for (int j = 0; j < 8; j++) {
      const __m256i sums = broadcast_32(activations[i].sums + 16 * b + 2 * j);
      sum_total = _mm256_add_epi32(sum_total, _mm256_madd_epi16(panel->sum_factors[j], sums));
    }
    __m256 sum = b == 0 ? _mm256_setzero_ps() : _mm256_maskload_ps(output, mask);
    if (type->offset)
      totals[i] = _mm256_sub_epi32(totals[i], _mm256_mullo_epi32(sum_total, _mm256_set1_epi32(type->offset)));
    sum = _mm256_fmadd_ps(_mm256_mul_ps(panel->scale, activation_scale), _mm256_cvtepi32_ps(totals[i]), sum);
    if (type->has_minimum)
      sum = _mm256_fnmadd_ps(_mm256_mul_ps(panel->minimum, activation_scale), _mm256_cvtepi32_ps(sum_total), sum);
    _mm256_maskstore_ps(output, mask, sum);
  }
}

/// Many activation rows: each block of 8 weight rows is laid out once and meets all of them.
INLINE void multiply_panels(const k_type *type, const product *p) {
  panel space;
  const uint8_t *rows[PANEL_ROWS];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, PANEL_ROWS, rows);
    for (size_t b = 0; b < p->elements / 256; b++) {
      type->lay(rows, &space);
      UNROLL for (int r = 0; r < PANEL_ROWS; r++) rows[r] += type->block_bytes;
      size_t a = 0;
      for (; a + 4 <= p->activation_rows; a += 4) add_panel(type, p, &space, first, a, 4, b);
      for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, b);
    }
  }
}

INLINE void multiply(const k_type *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

/// total + (codes * activations), counted with a sub-scale for each 128-bit part: numbers `a` and `b` of the 8 int16
/// that both parts of `scales` hold.
INLINE __m256i add_scaled(__m256i total, __m256i codes, const int8_t *activations, __m256i scales, int a, int b) {
  const __m256i order = _mm256_inserti128_si256(_mm256_set1_epi16((short)(0x0100 + 0x0202 * a)),
                                                _mm_set1_epi16((short)(0x0100 + 0x0202 * b)), 1);
  const __m256i dot = _mm256_maddubs_epi16(codes, load_256(activations));
  return _mm256_add_epi32(total, _mm256_madd_epi16(dot, _mm256_shuffle_epi8(scales, order)));
}

// Q4_K and Q5_K

/// Bit `bit` of each byte, at bit 4.
INLINE __m256i fifth_bit(__m256i bits, int bit) {
  const __m256i moved = bit < 4 ? _mm256_slli_epi16(bits, 4 - bit) : _mm256_srli_epi16(bits, bit - 4);
  return _mm256_and_si256(moved, _mm256_set1_epi8(16));
}

INLINE void row_45k(const uint8_t *nibbles, const uint8_t *fifth_bits, const uint8_t *packed_scales,
                    const int8_t *activations, const int16_t *sums, __m256i *total, __m128i *minimum_total) {
  const __m256i low_mask = _mm256_set1_epi8(15);
  const sub_scales_k sub_scales = unpack_sub_scales_k(packed_scales);
  const __m256i scales =
      _mm256_broadcastsi128_si256(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)sub_scales.scales)));
  const __m256i bits = fifth_bits ? load_256(fifth_bits) : _mm256_setzero_si256();
  *total = _mm256_setzero_si256();
  UNROLL for (int pair = 0; pair < 4; pair++) {
    const __m256i bytes = load_256(nibbles + 32 * pair);
    __m256i low = _mm256_and_si256(bytes, low_mask);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_mask);
    if (fifth_bits) {
      low = _mm256_or_si256(low, fifth_bit(bits, 2 * pair));
      high = _mm256_or_si256(high, fifth_bit(bits, 2 * pair + 1));
    }
    *total = add_scaled(*total, low, activations + 64 * pair, scales, 2 * pair, 2 * pair);
    *total = add_scaled(*total, high, activations + 64 * pair + 32, scales, 2 * pair + 1, 2 * pair + 1);
  }
  const __m128i pairs = _mm_hadd_epi16(_mm_loadu_si128((const void *)sums), _mm_loadu_si128((const void *)(sums + 8)));
  *minimum_total = _mm_madd_epi16(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)sub_scales.minimums)), pairs);
}

INLINE void row_q4k(const uint8_t *bytes, const int8_t *activations, const int16_t *sums, __m256i *total,
                    __m128i *minimum_total) {
  const block_q4k *block = (const void *)bytes;
  row_45k(block->nibbles, NULL, block->sub_scales, activations, sums, total, minimum_total);
}

INLINE void row_q5k(const uint8_t *bytes, const int8_t *activations, const int16_t *sums, __m256i *total,
                    __m128i *minimum_total) {
  const block_q5k *block = (const void *)bytes;
  row_45k(block->nibbles, block->fifth_bits, block->sub_scales, activations, sums, total, minimum_total);
}

/// Scale and minimum lead the block, next to each other.
INLINE void scales_45k(const uint8_t *const blocks[4], __m128 *scale, __m128 *minimum) {
  const __m128i pairs =
      _mm_setr_epi32(load_i32(blocks[0]), load_i32(blocks[1]), load_i32(blocks[2]), load_i32(blocks[3]));
  const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
  const __m256 both = _mm256_cvtph_ps(_mm_shuffle_epi8(pairs, order));
  *scale = _mm256_castps256_ps128(both);
  *minimum = _mm256_extractf128_ps(both, 1);
}

/// Byte `index` of each lane, twice as int16.
INLINE __m256i twice_as_16_bits(__m256i bytes, int index) {
  const __m256i value = _mm256_and_si256(_mm256_srli_epi32(bytes, 8 * index), _mm256_set1_epi32(0xff));
  return _mm256_or_si256(value, _mm256_slli_epi32(value, 16));
}

/// The low 16 bits of each lane as float16.
INLINE __m256 float_of_halves(__m256i lanes) {
  const __m256i low = _mm256_and_si256(lanes, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

/// Scales and minimums of a panel from the first 16 bytes of its blocks.
INLINE void lay_scales_45k(const uint8_t *const blocks[8], panel *panel) {
  __m256i head[4];
  transpose_16_bytes(blocks, 0, head);
  const __m256i six_bits = _mm256_set1_epi8(0x3f), nibbles = _mm256_set1_epi8(0x0f), two_bits = _mm256_set1_epi8(0x30);
  panel->scale = float_of_halves(head[0]);
  panel->minimum = float_of_halves(_mm256_srli_epi32(head[0], 16));
  const __m256i scales[2] = {
      _mm256_and_si256(head[1], six_bits),
      _mm256_or_si256(_mm256_and_si256(head[3], nibbles), _mm256_and_si256(_mm256_srli_epi32(head[1], 2), two_bits))};
  const __m256i minimums[2] = {
      _mm256_and_si256(head[2], six_bits),
      _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(head[3], 4), nibbles),
                      _mm256_and_si256(_mm256_srli_epi32(head[2], 2), two_bits))};
  UNROLL for (int j = 0; j < 8; j++) {
    panel->sub_scales[j] = twice_as_16_bits(scales[j / 4], j % 4);
    panel->sum_factors[j] = twice_as_16_bits(minimums[j / 4], j % 4);
  }
}

/// `nibbles` is the offset of the nibbles in the block, `fifth_bits` that of the fifth bits or 0.
INLINE void lay_45k(const uint8_t *const blocks[8], panel *panel, size_t nibbles, size_t fifth_bits) {
  const __m256i low_mask = _mm256_set1_epi8(15);
  __m256i bits[8];
  lay_scales_45k(blocks, panel);
  if (fifth_bits) {
    transpose_16_bytes(blocks, fifth_bits, bits);
    transpose_16_bytes(blocks, fifth_bits + 16, bits + 4);
  }
  UNROLL for (int pair = 0; pair < 4; pair++) {
    UNROLL for (int column = 0; column < 2; column++) {
      __m256i bytes[4];
      transpose_16_bytes(blocks, nibbles + (size_t)(32 * pair + 16 * column), bytes);
      UNROLL for (int i = 0; i < 4; i++) {
        __m256i low = _mm256_and_si256(bytes[i], low_mask);
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes[i], 4), low_mask);
        if (fifth_bits) {
          low = _mm256_or_si256(low, fifth_bit(bits[4 * column + i], 2 * pair));
          high = _mm256_or_si256(high, fifth_bit(bits[4 * column + i], 2 * pair + 1));
        }
        panel->codes[16 * pair + 4 * column + i] = low;
        panel->codes[16 * pair + 8 + 4 * column + i] = high;
      }
    }
  }
}

INLINE void lay_q4k(const uint8_t *const blocks[8], panel *panel) {
  lay_45k(blocks, panel, offsetof(block_q4k, nibbles), 0);
}

INLINE void lay_q5k(const uint8_t *const blocks[8], panel *panel) {
  lay_45k(blocks, panel, offsetof(block_q5k, nibbles), offsetof(block_q5k, fifth_bits));
}

#define TYPE_45K(name, layout, sums)                                                                                 \
  static const k_type name = {.row = row_##name,                                                                     \
                              .scales = scales_45k,                                                                  \
                              .lay = lay_##name,                                                                     \
                              .block_bytes = sizeof(layout),                                                         \
                              .sub_blocks = 8,                                                                       \
                              .chain = sums,                                                                         \
                              .has_minimum = true}

TYPE_45K(q4k, block_q4k, 8);
TYPE_45K(q5k, block_q5k, 4);

CK_MULTIPLY(ck_multiply_q4k_avx2) { multiply(&q4k, &PRODUCT_OF_ARGUMENTS); }

CK_MULTIPLY(ck_multiply_q5k_avx2) { multiply(&q5k, &PRODUCT_OF_ARGUMENTS); }

// Q6_K

/// Codes of 32 elements: nibbles at bits 0-3 or 4-7, completed by bits 2 `quarter` and 2 `quarter` + 1 of `upper`.
INLINE __m256i codes_q6k(__m256i nibbles, __m256i upper, int quarter) {
  const __m256i low = quarter < 2 ? nibbles : _mm256_srli_epi16(nibbles, 4);
  const __m256i high = quarter < 2 ? _mm256_slli_epi16(upper, 4 - 2 * quarter) : _mm256_srli_epi16(upper, 2 * quarter - 4);
  return _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(15)), _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
}

INLINE void row_q6k(const uint8_t *bytes, const int8_t *activations, const int16_t *sums, __m256i *total,
                    __m128i *minimum_total) {
  const block_q6k *block = (const void *)bytes;
  const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)block->sub_scales));
  // 32 too much in each code: 32 * (sum of sub-scale * activations' sum) too much in all.
  const __m256i offsets = _mm256_madd_epi16(scales, load_256(sums));
  *total = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(offsets, 5));
  UNROLL for (int half = 0; half < 2; half++) {
    const __m256i nibbles[2] = {load_256(block->nibbles + 64 * half), load_256(block->nibbles + 64 * half + 32)};
    const __m256i upper = load_256(block->upper_bits + 32 * half);
    const __m256i half_scales = 
        _mm256_broadcastsi128_si256(half ? _mm256_extracti128_si256(scales, 1) : _mm256_castsi256_si128(scales));
    UNROLL for (int quarter = 0; quarter < 4; quarter++)
      *total = add_scaled(*total, codes_q6k(nibbles[quarter % 2], upper, quarter),
                          activations + 128 * half + 32 * quarter, half_scales, 2 * quarter, 2 * quarter + 1);
  }
  *minimum_total = _mm_setzero_si128();
}

INLINE void scales_q6k(const uint8_t *const blocks[4], __m128 *scale, __m128 *minimum) {
  uint16_t bits[4];
  UNROLL for (int r = 0; r < 4; r++) bits[r] = load_u16(blocks[r] + offsetof(block_q6k, scale));
  *scale = _mm_cvtph_ps(_mm_loadl_epi64((const void *)bits));
  *minimum = _mm_setzero_ps();
}

INLINE void lay_q6k(const uint8_t *const blocks[8], panel *panel) {
  UNROLL for (int half = 0; half < 2; half++) {
    UNROLL for (int column = 0; column < 2; column++) {
      __m256i upper[4], nibbles[2][4];
      const size_t start = (size_t)(16 * column);
      transpose_16_bytes(blocks, offsetof(block_q6k, upper_bits) + (size_t)(32 * half) + start, upper);
      transpose_16_bytes(blocks, (size_t)(64 * half) + start, nibbles[0]);
      transpose_16_bytes(blocks, (size_t)(64 * half + 32) + start, nibbles[1]);
      UNROLL for (int quarter = 0; quarter < 4; quarter++) {
        UNROLL for (int i = 0; i < 4; i++)
          panel->codes[32 * half + 8 * quarter + 4 * column + i] = codes_q6k(nibbles[quarter % 2][i], upper[i], quarter);
      }
    }
  }
  __m256i scales[4];
  transpose_16_bytes(blocks, offsetof(block_q6k, sub_scales), scales);
  UNROLL for (int j = 0; j < 16; j++) {
    const __m256i scale = _mm256_srai_epi32(_mm256_slli_epi32(scales[j / 4], 24 - 8 * (j % 4)), 24);
    panel->sub_scales[j] = _mm256_blend_epi16(scale, _mm256_slli_epi32(scale, 16), 0xaa);
  }
  UNROLL for (int j = 0; j < 8; j++)
    panel->sum_factors[j] = _mm256_blend_epi16(panel->sub_scales[2 * j], panel->sub_scales[2 * j + 1], 0xaa);
  panel->scale = load_8_halves(blocks, offsetof(block_q6k, scale));
}

static const k_type q6k = {.row = row_q6k,
                           .scales = scales_q6k,
                           .lay = lay_q6k,
                           .block_bytes = sizeof(block_q6k),
                           .sub_blocks = 16,
                           .offset = 32,
                           .chain = 2};

CK_MULTIPLY(ck_multiply_q6k_avx2) { multiply(&q6k, &PRODUCT_OF_ARGUMENTS); }

#pragma clang attribute pop
#endif

// Products of K-quants (blocks of 256) for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_avx512.h"

/// 16 weight rows of a block side by side; lane r is row r.
typedef struct {
  __m512i codes[64];      // 4 codes a lane, unsigned bytes
  __m512i sub_scales[16]; // int32
  __m512i sum_factors[8]; // two int16: what the sums of 16 activations 2 i and 2 i + 1 count in `sum_total`
  __m512 scale, minimum;
} panel;

/// What a type of block must provide. Its codes are unsigned bytes, `offset` above their values.
typedef struct {
  /// One row: `total` is the lanes whose sum is the block's integer; `minimum_total` those of the minimums, if any.
  void (*row)(const uint8_t *block, const __m512i activations[4], const int16_t *sums, __m512i *total,
              __m128i *minimum_total);
  /// Scales and minimums of 4 blocks.
  void (*scales)(const uint8_t *const blocks[4], __m128 *scale, __m128 *minimum);
  /// Lays 16 blocks side by side. The sums count with the minimums, or with the sub-scales if there is an offset.
  void (*lay)(const uint8_t *const blocks[16], panel *panel);
  size_t block_bytes;
  int sub_blocks, offset;
  bool has_minimum;
  /// Whether `row` takes activations 0-31 and 64-95, then 32-63 and 96-127, and so on, or just 64 after 64.
  bool splits_pairs;
} k_type;

INLINE void load_activations(const k_type *type, const int8_t *elements, __m512i out[4]) {
  UNROLL for (int i = 0; i < 2; i++) {
    const int8_t *at = elements + 128 * i;
    out[2 * i] = type->splits_pairs ? load_256_256(at, at + 64) : load_512(at);
    out[2 * i + 1] = type->splits_pairs ? load_256_256(at + 32, at + 96) : load_512(at + 64);
  }
}

/// Few activation rows: tiles of 4 weight rows, read block by block.
INLINE void multiply_rows(const k_type *type, const product *p) {
  const size_t blocks = p->elements / 256;
  for (size_t first = 0; first < p->weight_rows; first += 4) {
    const uint8_t *rows[4];
    rows_from(p, first, 4, rows);
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 256);
      __m128 sum = _mm_setzero_ps();
      for (size_t b = 0; b < blocks; b++) {
        const uint8_t *at[4];
        __m512i activations[4], totals[4];
        __m128i minimum_totals[4];
        __m128 scale, minimum;
        load_activations(type, activation.elements + 256 * b, activations);
        UNROLL for (int r = 0; r < 4; r++) {
          at[r] = rows[r] + b * type->block_bytes;
          type->row(at[r], activations, activation.sums + 16 * b, &totals[r], &minimum_totals[r]);
        }
        const __m128 activation_scale = _mm_set1_ps(activation.scales[b]);
        type->scales(at, &scale, &minimum);
        sum = _mm_fmadd_ps(_mm_mul_ps(scale, activation_scale), _mm_cvtepi32_ps(sum_lanes(totals)), sum);
        if (type->has_minimum)
          sum = _mm_fnmadd_ps(_mm_mul_ps(minimum, activation_scale), _mm_cvtepi32_ps(sum_lanes_128(minimum_totals)), sum);
      }
      _mm_mask_storeu_ps(p->output + a * p->output_stride + first, (__mmask8)(row_mask(p, first) & 15), sum);
    }
  }
}

/// Adds block `b` of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const k_type *type, const product *p, const panel *panel, size_t first, size_t a, int count, size_t b) {
  const int groups = 64 / type->sub_blocks;
  const __mmask16 mask = row_mask(p, first);
  activation_row activations[8];
  __m512i totals[8], sums[8];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 256);
    totals[i] = sums[i] = _mm512_setzero_si512();
  }
  for (int j = 0; j < type->sub_blocks; j++) {
    __m512i dots[8];
    UNROLL for (int i = 0; i < count; i++) dots[i] = _mm512_setzero_si512();
    UNROLL for (int g = 0; g < groups; g++) {
      const __m512i codes = panel->codes[j * groups + g];
      UNROLL for (int i = 0; i < count; i++)
        dots[i] = _mm512_dpbusd_epi32(dots[i], codes, broadcast_32(activations[i].elements + 256 * b + 4 * (j * groups + g)));
    }
    UNROLL for (int i = 0; i < count; i++)
      totals[i] = _mm512_add_epi32(totals[i], _mm512_mullo_epi32(dots[i], panel->sub_scales[j]));
  }
  UNROLL for (int j = 0; j < 8; j++) {
    UNROLL for (int i = 0; i < count; i++)
      sums[i] = _mm512_dpwssd_epi32(sums[i], panel->sum_factors[j], broadcast_32(activations[i].sums + 16 * b + 2 * j));
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    const __m512 activation_scale = _mm512_set1_ps(activations[i].scales[b]);
    __m512 sum = b == 0 ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, output);
    if (type->offset) totals[i] = _mm512_sub_epi32(totals[i], _mm512_mullo_epi32(sums[i], _mm512_set1_epi32(type->offset)));
    sum = _mm512_fmadd_ps(_mm512_mul_ps(panel->scale, activation_scale), _mm512_cvtepi32_ps(totals[i]), sum);
    if (type->has_minimum)
      sum = _mm512_fnmadd_ps(_mm512_mul_ps(panel->minimum, activation_scale), _mm512_cvtepi32_ps(sums[i]), sum);
    _mm512_mask_storeu_ps(output, mask, sum);
  }
}

/// Many activation rows: each block of 16 weight rows is laid out once and meets all of them.
INLINE void multiply_panels(const k_type *type, const product *p) {
  panel space;
  const uint8_t *rows[16];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, 16, rows);
    for (size_t b = 0; b < p->elements / 256; b++) {
      type->lay(rows, &space);
      UNROLL for (int r = 0; r < 16; r++) rows[r] += type->block_bytes;
      size_t a = 0;
      for (; a + 8 <= p->activation_rows; a += 8) add_panel(type, p, &space, first, a, 8, b);
      for (; a + 2 <= p->activation_rows; a += 2) add_panel(type, p, &space, first, a, 2, b);
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

// Q4_K and Q5_K

/// Products of codes of 64 + 64 elements, each 4 summed and counted with the sub-scale of its 128-bit part. The sums of
/// 4 fit in 16 bits (4 * 63 * 127), so that one instruction scales and adds two of them.
INLINE __m512i add_scaled(__m512i total, __m512i low, __m512i high, const __m512i activations[2], __m512i scales) {
  const __m512i dot_low = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, activations[0]);
  const __m512i dot_high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), high, activations[1]);
  return _mm512_dpwssd_epi32(total, _mm512_packs_epi32(dot_low, dot_high), scales);
}

/// Of 8 or 16 int16, those of `order`.
INLINE __m512i pick_scales(__m256i scales, __m512i order) {
  return _mm512_permutexvar_epi16(order, _mm512_castsi256_si512(scales));
}

/// 64-bit halves of the 128-bit parts: sub-block numbers a b a b c d c d.
INLINE __m512i order_of(int a, int b, int c, int d) {
  const long long one = 0x0001000100010001;
  return _mm512_setr_epi64(a * one, b * one, a * one, b * one, c * one, d * one, c * one, d * one);
}

INLINE __m128i minimum_total_k(uint64_t minimums, const int16_t *sums) {
  const __m128i pairs = _mm_hadd_epi16(_mm_loadu_si128((const void *)sums), _mm_loadu_si128((const void *)(sums + 8)));
  return _mm_madd_epi16(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)minimums)), pairs);
}

INLINE void row_45k(const uint8_t *nibbles, const uint8_t *fifth_bits, const uint8_t *packed_scales,
                    const __m512i *activations, const int16_t *sums, __m512i *total, __m128i *minimum_total) {
  const __m512i low_mask = _mm512_set1_epi8(15);
  const sub_scales_k sub_scales = unpack_sub_scales_k(packed_scales);
  const __m256i scales =
      _mm256_castsi128_si256(_mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)sub_scales.scales)));
  const __m512i first_bits = _mm512_inserti64x4(_mm512_set1_epi8(1), _mm256_set1_epi8(4), 1);
  const __m512i bits = fifth_bits ? load_256_256(fifth_bits, fifth_bits) : _mm512_setzero_si512();
  *total = _mm512_setzero_si512();
  UNROLL for (int i = 0; i < 2; i++) {
    const __m512i bytes = load_512(nibbles + 64 * i);
    __m512i low = _mm512_and_si512(bytes, low_mask);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_mask);
    if (fifth_bits) {
      const __m512i wanted = _mm512_slli_epi16(first_bits, (unsigned)(4 * i)), sixteen = _mm512_set1_epi8(16);
      low = _mm512_mask_add_epi8(low, _mm512_test_epi8_mask(bits, wanted), low, sixteen);
      high = _mm512_mask_add_epi8(high, _mm512_test_epi8_mask(bits, _mm512_slli_epi16(wanted, 1)), high, sixteen);
    }
    const __m512i order = i == 0 ? order_of(0, 1, 2, 3) : order_of(4, 5, 6, 7);
    *total = add_scaled(*total, low, high, activations + 2 * i, pick_scales(scales, order));
  }
  *minimum_total = minimum_total_k(sub_scales.minimums, sums);
}

INLINE void row_q4k(const uint8_t *bytes, const __m512i *activations, const int16_t *sums, __m512i *total,
                    __m128i *minimum_total) {
  const block_q4k *block = (const void *)bytes;
  row_45k(block->nibbles, NULL, block->sub_scales, activations, sums, total, minimum_total);
}

INLINE void row_q5k(const uint8_t *bytes, const __m512i *activations, const int16_t *sums, __m512i *total,
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

#define TYPE_45K(name, layout)                                                                                       \
  static const k_type name = {.row = row_##name,                                                                     \
                              .scales = scales_45k,                                                                  \
                              .lay = lay_##name,                                                                     \
                              .block_bytes = sizeof(layout),                                                         \
                              .sub_blocks = 8,                                                                       \
                              .has_minimum = true,                                                                   \
                              .splits_pairs = true}

TYPE_45K(q4k, block_q4k);
TYPE_45K(q5k, block_q5k);

CK_MULTIPLY(ck_multiply_q4k_avx512) { multiply(&q4k, &PRODUCT_OF_ARGUMENTS); }

CK_MULTIPLY(ck_multiply_q5k_avx512) { multiply(&q5k, &PRODUCT_OF_ARGUMENTS); }

// Q6_K

INLINE void row_q6k(const uint8_t *bytes, const __m512i activations[4], const int16_t *sums, __m512i *total,
                    __m128i *minimum_total) {
  const block_q6k *block = (const void *)bytes;
  const __m512i low_mask = _mm512_set1_epi8(15), upper_mask = _mm512_set1_epi8(0x30);
  // Upper bits are at 0-1 of the first 32 elements, 2-3 of the next and so on; they are wanted at 4-5.
  const __m512i left = _mm512_inserti64x4(_mm512_set1_epi16(4), _mm256_set1_epi16(2), 1);
  const __m512i right = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2), 1);
  const __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)block->sub_scales));
  // 32 too much in each code: 32 * (sum of sub-scale * activations' sum) too much in all.
  const __m256i offsets = _mm256_madd_epi16(scales, _mm256_loadu_si256((const void *)sums));
  *total = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_zextsi256_si512(_mm256_slli_epi32(offsets, 5)));
  UNROLL for (int half = 0; half < 2; half++) {
    const __m512i nibbles = load_512(block->nibbles + 64 * half);
    const __m512i upper = load_256_256(block->upper_bits + 32 * half, block->upper_bits + 32 * half);
    const __m512i low = _mm512_or_si512(_mm512_and_si512(nibbles, low_mask),
                                        _mm512_and_si512(_mm512_sllv_epi16(upper, left), upper_mask));
    const __m512i high = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(nibbles, 4), low_mask),
                                         _mm512_and_si512(_mm512_srlv_epi16(upper, right), upper_mask));
    const long long one = 0x0001000100010001;
    const __m512i order = _mm512_add_epi16(_mm512_setr_epi64(0, 4 * one, one, 5 * one, 2 * one, 6 * one, 3 * one, 7 * one),
                                           _mm512_set1_epi16((short)(8 * half)));
    *total = add_scaled(*total, low, high, activations + 2 * half, pick_scales(scales, order));
  }
  *minimum_total = _mm_setzero_si128();
}

INLINE void scales_q6k(const uint8_t *const blocks[4], __m128 *scale, __m128 *minimum) {
  uint16_t bits[4];
  UNROLL for (int r = 0; r < 4; r++) bits[r] = load_u16(blocks[r] + offsetof(block_q6k, scale));
  *scale = _mm_cvtph_ps(_mm_loadl_epi64((const void *)bits));
  *minimum = _mm_setzero_ps();
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
  UNROLL for (int j = 0; j < 16; j++)
    panel->sub_scales[j] = _mm512_srai_epi32(_mm512_slli_epi32(scales[j / 4], (unsigned)(24 - 8 * (j % 4))), 24);
  UNROLL for (int j = 0; j < 8; j++)
    panel->sum_factors[j] = _mm512_mask_blend_epi16(0xaaaaaaaau, panel->sub_scales[2 * j],
                                                    _mm512_slli_epi32(panel->sub_scales[2 * j + 1], 16));
  panel->scale = load_16_halves(blocks, offsetof(block_q6k, scale));
}

static const k_type q6k = {.row = row_q6k,
                           .scales = scales_q6k,
                           .lay = lay_q6k,
                           .block_bytes = sizeof(block_q6k),
                           .sub_blocks = 16,
                           .offset = 32};

CK_MULTIPLY(ck_multiply_q6k_avx512) { multiply(&q6k, &PRODUCT_OF_ARGUMENTS); }

#pragma clang attribute pop
#endif

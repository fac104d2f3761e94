// Panels of the types with blocks of 32 as they lie in memory, for AVX2.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "quant_panels_avx2.h"

/// What a type must provide.
typedef struct {
  void (*factors)(const uint8_t *block, int half, __m256 *scale, __m256 *minimum);
  /// Codes 4 `group` to 4 `group` + 3 in each lane.
  __m256i (*codes)(const uint8_t *block, int half, int group);
  size_t block_bytes;
  /// There is a minimum, which is added to weights.
  bool minimum;
  /// Codes are signed; or else they are unsigned and `offset` above their values.
  bool has_signs;
  int offset;
  /// How many sums of two products fit in 16 bits together.
  int chain;
} laid_type;

// Factors

INLINE void laid_factors_18(const uint8_t *block, int half, __m256 *scale, __m256 *minimum) {
  *scale = halves_behind(block, 18, half);
}

INLINE void laid_factors_22(const uint8_t *block, int half, __m256 *scale, __m256 *minimum) {
  *scale = halves_behind(block, 22, half);
}

INLINE void laid_factors_34(const uint8_t *block, int half, __m256 *scale, __m256 *minimum) {
  *scale = halves_behind(block, 34, half);
}

INLINE void laid_factors_17(const uint8_t *block, int half, __m256 *scale, __m256 *minimum) {
  const __m128i exponents = _mm_loadl_epi64((const void *)(block + 64 * UNITS_OF(17) + 8 * half));
  *scale = floats_of_exponents(_mm256_cvtepu8_epi32(exponents));
}

/// Scale and minimum are the first unit.
INLINE void laid_factors_both(const uint8_t *block, int half, __m256 *scale, __m256 *minimum) {
  const __m256i both = unit(block, 0, half);
  *scale = floats_of_halves(both);
  *minimum = floats_of_halves(_mm256_srli_epi32(both, 16));
}

// Codes

/// Of nibbles in 4 units from number `first` on: the low ones come first, then the high ones.
INLINE __m256i laid_nibbles(const uint8_t *block, int half, int first, int group) {
  return nibbles_of(unit(block, first + group % 4, half), group / 4);
}

/// The fifth bits of 4 codes, of 32 in a unit.
INLINE __m256i fifth_bits_of(__m256i bits, int group) {
  // The byte that has them goes to all bytes of its lane. Each takes its own bit, of which a table makes 16.
  const __m256i table = _mm256_setr_epi8(0, 16, 16, 0, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, //
                                         0, 16, 16, 0, 16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0);
  const __m256i moved = group % 2 ? _mm256_srli_epi32(bits, 4) : bits;
  const __m256i bytes = shuffle_lanes(moved, 0x01010101u * (uint32_t)(group / 2));
  return _mm256_shuffle_epi8(table, _mm256_and_si256(bytes, _mm256_set1_epi32(0x08040201)));
}

INLINE __m256i laid_codes_q4_0(const uint8_t *block, int half, int group) {
  return laid_nibbles(block, half, 0, group);
}

INLINE __m256i laid_codes_q4_1(const uint8_t *block, int half, int group) {
  return laid_nibbles(block, half, 1, group);
}

INLINE __m256i laid_codes_q5_0(const uint8_t *block, int half, int group) {
  return _mm256_or_si256(laid_nibbles(block, half, 1, group), fifth_bits_of(unit(block, 0, half), group));
}

INLINE __m256i laid_codes_q5_1(const uint8_t *block, int half, int group) {
  return _mm256_or_si256(laid_nibbles(block, half, 2, group), fifth_bits_of(unit(block, 1, half), group));
}

INLINE __m256i laid_codes_q8_0(const uint8_t *block, int half, int group) { return unit(block, group, half); }

INLINE __m256i laid_codes_iq4_nl(const uint8_t *block, int half, int group) {
  return look_up(iq4_codes, 0, laid_nibbles(block, half, 0, group));
}

INLINE __m256i laid_codes_mxfp4(const uint8_t *block, int half, int group) {
  return look_up(fp4_codes, 12, laid_nibbles(block, half, 0, group));
}

// Products

/// `factor` * the sum of 32 activations, in all lanes; `sums` are the two sums of 16.
INLINE __m256i multiply_sums(int factor, const int16_t *sums) {
  if (!factor) return _mm256_setzero_si256();
  return _mm256_madd_epi16(_mm256_set1_epi16((short)factor), broadcast_32(sums));
}

/// Adds (scale * activation scale) * total of 8 rows to their sums, then what the minimum adds.
INLINE __m256 add_block(const laid_type *type, __m256 sum, __m256i total, __m256 scale, __m256 minimum,
                        float activation_scale, const int16_t *activation_sums) {
  const __m256 factor = _mm256_set1_ps(activation_scale);
  sum = _mm256_fmadd_ps(_mm256_mul_ps(scale, factor), _mm256_cvtepi32_ps(total), sum);
  if (!type->minimum) return sum;
  return _mm256_fmadd_ps(_mm256_mul_ps(minimum, factor), _mm256_cvtepi32_ps(multiply_sums(1, activation_sums)), sum);
}

/// One panel times all of up to 4 activation rows, without anything in between.
INLINE void multiply_directly(const laid_type *type, const product *p, const uint8_t *panel, size_t first, int count) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->block_bytes;
  const __m256i ones = _mm256_set1_epi16(1);
  activation_row activations[4];
  __m256 results[4][2];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (size_t)i * p->activation_stride, p->elements, 32);
    results[i][0] = results[i][1] = _mm256_setzero_ps();
  }
  for (size_t b = 0; b < p->elements / 32; b++, panel += bytes) {
    __m256i totals[4][2], dots[4][2];
    if (NEEDS_ASKING(count)) prefetch_panel(panel, bytes, 0, 1);
    UNROLL for (int i = 0; i < count; i++)
      totals[i][0] = totals[i][1] = multiply_sums(-type->offset, activations[i].sums + 2 * b);
    UNROLL for (int g = 0; g < 8; g++) {
      // In the order of units of nibbles, each of which has two groups.
      const int group = type->block_bytes == sizeof(block_q8_0) ? g : g / 2 + g % 2 * 4;
      __m256i values[4];
      UNROLL for (int i = 0; i < count; i++) values[i] = broadcast_32(activations[i].elements + 32 * b + 4 * group);
      UNROLL for (int h = 0; h < 2; h++) {
        const __m256i codes = type->codes(panel, h, group);
        UNROLL for (int i = 0; i < count; i++) {
          const __m256i dot = multiply_codes(type->has_signs, codes, values[i]);
          dots[i][h] = in_order(g % type->chain == 0 ? dot : _mm256_add_epi16(dots[i][h], dot));
          if ((g + 1) % type->chain == 0) totals[i][h] = add_dots(totals[i][h], dots[i][h], ones);
        }
      }
    }
    UNROLL for (int h = 0; h < 2; h++) {
      __m256 scale, minimum = _mm256_setzero_ps();
      type->factors(panel, h, &scale, &minimum);
      UNROLL for (int i = 0; i < count; i++)
        results[i][h] = add_block(type, results[i][h], totals[i][h], scale, minimum, activations[i].scales[b],
                                  activations[i].sums + 2 * b);
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (size_t)i * p->output_stride + first;
    UNROLL for (int h = 0; h < 2; h++) _mm256_storeu_ps(output + 8 * h, results[i][h]);
  }
}

#define PANEL_BLOCKS 8

/// Up to 8 blocks of each of 16 weight rows, taken apart.
typedef struct {
  __m256i codes[PANEL_BLOCKS][8][2]; // 4 codes a lane
  __m256 scale[PANEL_BLOCKS][2], minimum[PANEL_BLOCKS][2];
} laid_panel;

/// Adds `blocks` blocks of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const laid_type *type, const product *p, const laid_panel *panel, size_t first, size_t a,
                      int count, size_t start, size_t blocks) {
  const __m256i ones[2] = {_mm256_set1_epi16(1), _mm256_set1_epi16(1)};
  activation_row activations[4];
  __m256 sums[4][2];
  UNROLL for (int i = 0; i < count; i++) {
    const float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 32);
    UNROLL for (int h = 0; h < 2; h++) sums[i][h] = start == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(output + 8 * h);
  }
  for (size_t b = start; b < start + blocks; b++) {
    __m256i totals[4][2];
    UNROLL for (int i = 0; i < count; i++)
      totals[i][0] = totals[i][1] = multiply_sums(-type->offset, activations[i].sums + 2 * b);
    UNROLL for (int g = 0; g < 8; g += type->chain)
      multiply_chain(&panel->codes[b - start][g], type->chain, type->has_signs, activations, 32 * b + 4 * (size_t)g,
                     count, ones, totals);
    UNROLL for (int i = 0; i < count; i++) {
      UNROLL for (int h = 0; h < 2; h++)
        sums[i][h] = add_block(type, sums[i][h], totals[i][h], panel->scale[b - start][h],
                               panel->minimum[b - start][h], activations[i].scales[b], activations[i].sums + 2 * b);
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    UNROLL for (int h = 0; h < 2; h++) _mm256_storeu_ps(output + 8 * h, sums[i][h]);
  }
}

/// One panel times all activation rows: each of its blocks is taken apart once.
INLINE void multiply_unpacked(const laid_type *type, const product *p, const uint8_t *weights, size_t first) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->block_bytes;
  laid_panel space;
  for (size_t start = 0; start < p->elements / 32; start += PANEL_BLOCKS) {
    const size_t blocks = MIN(p->elements / 32 - start, PANEL_BLOCKS);
    for (size_t b = 0; b < blocks; b++, weights += bytes) {
      prefetch_panel(weights, bytes, 0, 1);
      UNROLL for (int h = 0; h < 2; h++) {
        type->factors(weights, h, &space.scale[b][h], &space.minimum[b][h]);
        UNROLL for (int g = 0; g < 8; g++) space.codes[b][g][h] = type->codes(weights, h, g);
      }
    }
    size_t a = 0;
    for (; a + 4 <= p->activation_rows; a += 4) add_panel(type, p, &space, first, a, 4, start, blocks);
    for (; a + 2 <= p->activation_rows; a += 2) add_panel(type, p, &space, first, a, 2, start, blocks);
    for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, start, blocks);
  }
}

INLINE void multiply_laid(const laid_type *type, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += PANEL_WEIGHT_ROWS) {
    const uint8_t *panel = p->weights + first * p->weight_row_bytes;
    switch (p->activation_rows) {
    case 1: multiply_directly(type, p, panel, first, 1); break;
    case 2: multiply_directly(type, p, panel, first, 2); break;
    case 3: multiply_directly(type, p, panel, first, 3); break;
    case 4: multiply_directly(type, p, panel, first, 4); break;
    default: multiply_unpacked(type, p, panel, first);
    }
  }
}

// Types. As many sums of two products fit in 16 bits as their largest code * 127 * 2 goes into 32767: 8 of 15 (codes of
// 4 bits), 4 of 24 and of 31; of signed codes one, 128 * 127 * 2.

#define LAID_32(name, bytes, factors_of, ...)                                                                        \
  static const laid_type name = {                                                                                    \
      .factors = factors_of, .codes = laid_codes_##name, .block_bytes = bytes, __VA_ARGS__};                         \
  CK_MULTIPLY(ck_multiply_##name##_panels_avx2) { multiply_laid(&name, &PRODUCT_OF_ARGUMENTS); }

LAID_32(q4_0, 18, laid_factors_18, .offset = 8, .chain = 8)
LAID_32(q4_1, 20, laid_factors_both, .minimum = true, .chain = 8)
LAID_32(q5_0, 22, laid_factors_22, .offset = 16, .chain = 4)
LAID_32(q5_1, 24, laid_factors_both, .minimum = true, .chain = 4)
LAID_32(q8_0, 34, laid_factors_34, .has_signs = true, .chain = 1)
LAID_32(iq4_nl, 18, laid_factors_18, .has_signs = true, .chain = 1)
LAID_32(mxfp4, 17, laid_factors_17, .offset = 12, .chain = 4)

#pragma clang attribute pop
#endif

/// Products of panels of K-quants for AVX2, for any type. Included after the target attribute is pushed.
#ifndef QUANT_PANELS_K_AVX2_H
#define QUANT_PANELS_K_AVX2_H

#include "quant_panels_avx2.h"

/// The factors of a block of 8 weight rows; lane r is row r.
typedef struct {
  __m256i sub_scales[16]; // two int16, both the sub-scale
  /// Two int16: minimums, or else sub-scales, number 2 i and 2 i + 1.
  __m256i sum_factors[8];
  __m256 scale, minimum;
} laid_factors;

/// A block of each of 16 weight rows, taken apart.
typedef struct {
  __m256i codes[64][2]; // 4 codes a lane
  laid_factors factors[2];
} laid_panel;

/// What a type must provide.
///
/// Codes come in steps: step s has 4 codes a lane at `place_of(s)`, and again each `stride` codes from there on.
typedef struct {
  size_t block_bytes;
  /// There are minimums, which are subtracted from weights.
  bool minimums;
  /// Codes are signed; or else they are unsigned and `offset` above their values.
  bool has_signs;
  int offset;
  /// Codes that share a sub-scale: 16 or 32.
  int sub_block;
  /// How many sums of two products fit in 16 bits together.
  int chain;
  /// Up to so many activation rows, at most 4, codes are made for each: for more it is faster to make them once.
  size_t directly;
  void (*factors)(const uint8_t *block, int half, laid_factors *factors);
  __m256i (*codes)(const uint8_t *block, int half, int step, int number);
  /// How many vectors a step has, and how many codes one is behind the other.
  int fan, stride;
  /// Links of steps are a loop, as they differ in places only and fewer instructions are faster. Not for types in which
  /// shifts depend on the step.
  bool is_rolled;
} laid_type;

INLINE int place_of(const laid_type *type, int step) {
  const int run = type->stride / 4;
  return step / run * type->stride * type->fan + step % run * 4;
}

/// How many pairs of activation sums a block has: where all sub-blocks are of 32, and minimums not negative, sums are.
#define SUM_PAIRS(type) ((type)->sub_block == 32 ? 4 : 8)

/// The sums of activations that minimums or sub-scales are multiplied with: of 16, or if sub-blocks have 32, of these.
/// Sums of 32 fit in 16 bits: 32 * 127.
INLINE void load_sums(const laid_type *type, const int16_t *row, __m256i sums[1]) {
  sums[0] = load_256(row);
  if (type->sub_block == 16) return;
  const __m256i wide = _mm256_madd_epi16(sums[0], _mm256_set1_epi16(1));
  sums[0] = _mm256_castsi128_si256(_mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1)));
}

/// Adds the floats of block `b` of 8 rows to those of the blocks before.
INLINE __m256 add_floats(const laid_type *type, const laid_factors *factors, __m256i total, const __m256i *sums,
                         float activation_scale, __m256 sum) {
  const __m256 activation_scales = _mm256_set1_ps(activation_scale);
  __m256i sum_total = _mm256_setzero_si256();
  if (type->minimums || type->offset) {
    UNROLL for (int j = 0; j < SUM_PAIRS(type); j++) {
      const __m256i pair = broadcast_32((const char *)sums + 4 * j);
      sum_total = _mm256_add_epi32(sum_total, _mm256_madd_epi16(factors->sum_factors[j], pair));
    }
  }
  if (type->offset) {
    total = _mm256_sub_epi32(total, _mm256_mullo_epi32(sum_total, _mm256_set1_epi32(type->offset)));
  }
  sum = _mm256_fmadd_ps(_mm256_mul_ps(factors->scale, activation_scales), _mm256_cvtepi32_ps(total), sum);
  if (!type->minimums) return sum;
  return _mm256_fnmadd_ps(_mm256_mul_ps(factors->minimum, activation_scales), _mm256_cvtepi32_ps(sum_total), sum);
}

/// Adds the products of vectors `number` of `chain` steps from `step` on with `count` blocks of activations to the
/// totals. One number at a time: what waits for the last step of a chain, for both halves, has the registers.
INLINE void add_steps(const laid_type *type, const uint8_t *block, const laid_factors factors[2], int step, int number,
                      const int8_t *const *activations, int count, __m256i (*totals)[2]) {
  __m256i dots[4][2];
  UNROLL for (int s = step; s < step + type->chain; s++) {
    __m256i values[4];
    UNROLL for (int i = 0; i < count; i++)
      values[i] = broadcast_32(activations[i] + place_of(type, s) + number * type->stride);
    UNROLL for (int h = 0; h < 2; h++) {
      const __m256i codes = type->codes(block, h, s, number);
      UNROLL for (int i = 0; i < count; i++) {
        const __m256i dot = multiply_codes(type->has_signs, codes, values[i]);
        dots[i][h] = in_order(s == step ? dot : _mm256_add_epi16(dots[i][h], dot));
      }
    }
  }
  const int sub_block = (place_of(type, step) + number * type->stride) / type->sub_block;
  UNROLL for (int i = 0; i < count; i++) {
    UNROLL for (int h = 0; h < 2; h++)
      totals[i][h] = in_order(add_dots(totals[i][h], dots[i][h], factors[h].sub_scales[sub_block]));
  }
}

/// The same for all vectors of chain number `link` of a block.
INLINE void add_link(const laid_type *type, const uint8_t *block, const laid_factors factors[2], int link,
                     const int8_t *const *activations, int count, __m256i (*totals)[2]) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->block_bytes;
  if (NEEDS_ASKING(count)) prefetch_panel(block, bytes, (size_t)link, (size_t)(64 / type->fan / type->chain));
  UNROLL for (int k = 0; k < type->fan; k++)
    add_steps(type, block, factors, link * type->chain, k, activations, count, totals);
}

/// One panel times all of up to 4 activation rows, without anything in between.
INLINE void multiply_directly(const laid_type *type, const product *p, const uint8_t *panel, size_t first, int count) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->block_bytes;
  const int steps = 64 / type->fan, links = steps / type->chain;
  activation_row activations[4];
  __m256 results[4][2];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (size_t)i * p->activation_stride, p->elements, 256);
    results[i][0] = results[i][1] = _mm256_setzero_ps();
  }
  for (size_t b = 0; b < p->elements / 256; b++, panel += bytes) {
    laid_factors factors[2];
    __m256i totals[4][2];
    const int8_t *elements[4];
    UNROLL for (int i = 0; i < count; i++) {
      totals[i][0] = totals[i][1] = _mm256_setzero_si256();
      elements[i] = activations[i].elements + 256 * b;
    }
    UNROLL for (int h = 0; h < 2; h++) type->factors(panel, h, &factors[h]);
    if (type->is_rolled) {
      _Pragma("clang loop unroll(disable)") for (int link = 0; link < links; link++)
        add_link(type, panel, factors, link, elements, count, totals);
    } else {
      UNROLL for (int link = 0; link < links; link++)
        add_link(type, panel, factors, link, elements, count, totals);
    }
    UNROLL for (int i = 0; i < count; i++) {
      __m256i sums[1];
      load_sums(type, activations[i].sums + 16 * b, sums);
      UNROLL for (int h = 0; h < 2; h++)
        results[i][h] = add_floats(type, &factors[h], totals[i][h], sums, activations[i].scales[b], results[i][h]);
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (size_t)i * p->output_stride + first;
    UNROLL for (int h = 0; h < 2; h++) _mm256_storeu_ps(output + 8 * h, results[i][h]);
  }
}

/// Adds block `b` of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const laid_type *type, const product *p, const laid_panel *panel, size_t first, size_t a,
                      int count, size_t b) {
  const int groups = type->sub_block / 4, chain = type->chain;
  activation_row activations[4];
  __m256i totals[4][2];
  UNROLL for (int i = 0; i < count; i++) {
    activations[i] = activation_row_at(p->activations + (a + (size_t)i) * p->activation_stride, p->elements, 256);
    totals[i][0] = totals[i][1] = _mm256_setzero_si256();
  }
  for (int j = 0; j < 256 / type->sub_block; j++) {
    const size_t start = 256 * b + (size_t)(4 * groups * j);
    UNROLL for (int link = 0; link < groups; link += chain) {
      const __m256i(*codes)[2] = &panel->codes[j * groups + link];
      const __m256i scales[2] = {panel->factors[0].sub_scales[j], panel->factors[1].sub_scales[j]};
      multiply_chain(codes, chain, type->has_signs, activations, start + (size_t)(4 * link), count, scales, totals);
    }
  }
  UNROLL for (int i = 0; i < count; i++) {
    float *output = p->output + (a + (size_t)i) * p->output_stride + first;
    __m256i sums[1];
    load_sums(type, activations[i].sums + 16 * b, sums);
    UNROLL for (int h = 0; h < 2; h++) {
      const __m256 sum = b == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(output + 8 * h);
      _mm256_storeu_ps(output + 8 * h, add_floats(type, &panel->factors[h], totals[i][h], sums,
                                                  activations[i].scales[b], sum));
    }
  }
}

/// One panel times all activation rows: each of its blocks is taken apart once.
INLINE void multiply_unpacked(const laid_type *type, const product *p, const uint8_t *weights, size_t first) {
  const size_t bytes = PANEL_WEIGHT_ROWS * type->block_bytes;
  const int steps = 64 / type->fan;
  laid_panel space;
  for (size_t b = 0; b < p->elements / 256; b++, weights += bytes) {
    UNROLL for (int h = 0; h < 2; h++) {
      type->factors(weights, h, &space.factors[h]);
      UNROLL for (int s = 0; s < steps; s++) {
        UNROLL for (int k = 0; k < type->fan; k++)
          space.codes[(place_of(type, s) + k * type->stride) / 4][h] = type->codes(weights, h, s, k);
      }
    }
    prefetch_panel(weights, bytes, 0, 1);
    size_t a = 0;
    for (; a + 4 <= p->activation_rows; a += 4) add_panel(type, p, &space, first, a, 4, b);
    for (; a + 2 <= p->activation_rows; a += 2) add_panel(type, p, &space, first, a, 2, b);
    for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, b);
  }
}

INLINE void multiply_laid(const laid_type *type, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += PANEL_WEIGHT_ROWS) {
    const uint8_t *panel = p->weights + first * p->weight_row_bytes;
    if (p->activation_rows > type->directly) {
      multiply_unpacked(type, p, panel, first);
      continue;
    }
    switch (p->activation_rows) {
    case 1: multiply_directly(type, p, panel, first, 1); break;
    case 2: multiply_directly(type, p, panel, first, 2); break;
    case 3: multiply_directly(type, p, panel, first, 3); break;
    case 4: multiply_directly(type, p, panel, first, 4); break;
    default: break;
    }
  }
}

#endif

/// The integer steps of the NEON products, which are all that differs between CPUs: CK_DOTPROD says that there are dot
/// products of bytes, CK_I8MM that there are products of 2 x 8 with 8 x 2 bytes too. Included after the target
/// attribute is pushed.
///
/// Codes are at least -128 and activations at most 127 in magnitude: a sum of two products is at most 32512 and fits in
/// 16 bits.
#ifndef QUANT_NEON_H
#define QUANT_NEON_H

#include "quant_product.h"
#include <arm_neon.h>

INLINE int8x16_t load_16(const void *bytes) { return vreinterpretq_s8_u8(vld1q_u8(bytes)); }

/// 16 int16.
typedef struct {
  int16x8_t v[2];
} int16_16;

INLINE int16_16 load_16_sums(const int16_t *sums) {
  return (int16_16){{vreinterpretq_s16_u8(vld1q_u8((const void *)sums)),
                     vreinterpretq_s16_u8(vld1q_u8((const void *)(sums + 8)))}};
}

/// Adds 16 products to four lanes, in any order.
INLINE int32x4_t add_dot(int32x4_t lanes, int8x16_t codes, int8x16_t activations) {
#if CK_DOTPROD
  return vdotq_s32(lanes, codes, activations);
#else
  const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(activations));
  return vpadalq_s16(lanes, vmlal_high_s8(low, codes, activations));
#endif
}

/// The sum of 16 products, in any order, in four lanes.
INLINE int32x4_t multiply_sums(int16_16 left, int16_16 right) {
  int32x4_t lanes = vmull_s16(vget_low_s16(left.v[0]), vget_low_s16(right.v[0]));
  lanes = vmlal_high_s16(lanes, left.v[0], right.v[0]);
  lanes = vmlal_s16(lanes, vget_low_s16(left.v[1]), vget_low_s16(right.v[1]));
  return vmlal_high_s16(lanes, left.v[1], right.v[1]);
}

/// Sums of all lanes of four vectors.
INLINE int32x4_t sum_lanes(const int32x4_t v[4]) { return vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3])); }

/// Takes 8 int16 of each of 8 vectors apart: vector i gets number i of all.
INLINE void transpose_8(const int16x8_t in[8], int16x8_t out[8]) {
  int16x8_t from[8], to[8];
  UNROLL for (int i = 0; i < 8; i++) from[i] = in[i];
  UNROLL for (int step = 0; step < 3; step++) {
    UNROLL for (int i = 0; i < 4; i++) {
      to[2 * i] = vzip1q_s16(from[i], from[i + 4]);
      to[2 * i + 1] = vzip2q_s16(from[i], from[i + 4]);
    }
    UNROLL for (int i = 0; i < 8; i++) from[i] = to[i];
  }
  UNROLL for (int i = 0; i < 8; i++) out[i] = from[i];
}

// Panels: 16 codes of each of 4 weight rows, and `count` (2 or 4) activation rows. The products of row r with
// activation row a end in lane r of vector a; with CK_I8MM they come as 2 x 2 products of rows 2 i and 2 i + 1, i = 0
// and 1, with a pair of activation rows.

/// How many vectors differ that stand for the same factors of 4 rows.
#define FACTOR_KINDS (CK_I8MM ? 2 : 1)

INLINE int8x16_t zip_low(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip1q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

INLINE int8x16_t zip_high(int8x16_t a, int8x16_t b) {
  return vreinterpretq_s8_s64(vzip2q_s64(vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b)));
}

/// 16 codes of each of 4 rows, as `add_products` wants them.
INLINE void lay_codes(const int8x16_t rows[4], int8x16_t out[4]) {
#if CK_I8MM
  UNROLL for (int i = 0; i < 2; i++) {
    out[2 * i] = zip_low(rows[2 * i], rows[2 * i + 1]);
    out[2 * i + 1] = zip_high(rows[2 * i], rows[2 * i + 1]);
  }
#else
  int32x4_t from[4], to[4];
  UNROLL for (int i = 0; i < 4; i++) from[i] = vreinterpretq_s32_s8(rows[i]);
  UNROLL for (int i = 0; i < 2; i++) {
    to[2 * i] = vzip1q_s32(from[i], from[i + 2]);
    to[2 * i + 1] = vzip2q_s32(from[i], from[i + 2]);
  }
  UNROLL for (int i = 0; i < 2; i++) {
    out[2 * i] = vreinterpretq_s8_s32(vzip1q_s32(to[i], to[i + 2]));
    out[2 * i + 1] = vreinterpretq_s8_s32(vzip2q_s32(to[i], to[i + 2]));
  }
#endif
}

/// Factors of 4 rows, as `add_products` leaves what they are for.
INLINE void lay_factors(int32x4_t factors, int32x4_t out[FACTOR_KINDS]) {
#if CK_I8MM
  out[0] = vzip1q_s32(factors, factors);
  out[1] = vzip2q_s32(factors, factors);
#else
  out[0] = factors;
#endif
}

/// 16 elements of each activation row, as `add_products` wants them.
INLINE void load_activations(const int8_t *const rows[4], size_t offset, int count, int8x16_t out[4]) {
  UNROLL for (int i = 0; i < count; i++) out[i] = load_16(rows[i] + offset);
#if CK_I8MM
  UNROLL for (int i = 0; i < count; i += 2) {
    const int8x16_t low = zip_low(out[i], out[i + 1]), high = zip_high(out[i], out[i + 1]);
    out[i] = low;
    out[i + 1] = high;
  }
#endif
}

#if !CK_DOTPROD
/// Adds to each lane the products of its 4 codes with the same 4 activations.
INLINE int32x4_t add_dots_of_4(int32x4_t lanes, int8x16_t codes, int32x4_t activations, int group) {
  const int32_t four[4] = {activations[0], activations[1], activations[2], activations[3]};
  const int8x16_t same = vreinterpretq_s8_s32(vdupq_n_s32(four[group]));
  const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(same));
  return vpadalq_s16(lanes, vpaddq_s16(low, vmull_high_s8(codes, same)));
}
#endif

/// Adds the products of 16 codes of 4 rows with 16 elements of `count` activation rows.
INLINE void add_products(const int8x16_t codes[4], const int8x16_t activations[4], int count, int32x4_t *sums) {
#if CK_I8MM
  UNROLL for (int a = 0; a < count; a += 2) {
    UNROLL for (int i = 0; i < 2; i++) {
      sums[a + i] = vmmlaq_s32(sums[a + i], codes[2 * i], activations[a]);
      sums[a + i] = vmmlaq_s32(sums[a + i], codes[2 * i + 1], activations[a + 1]);
    }
  }
#elif CK_DOTPROD
  UNROLL for (int a = 0; a < count; a++) {
    sums[a] = vdotq_laneq_s32(sums[a], codes[0], activations[a], 0);
    sums[a] = vdotq_laneq_s32(sums[a], codes[1], activations[a], 1);
    sums[a] = vdotq_laneq_s32(sums[a], codes[2], activations[a], 2);
    sums[a] = vdotq_laneq_s32(sums[a], codes[3], activations[a], 3);
  }
#else
  UNROLL for (int a = 0; a < count; a++) {
    const int32x4_t four = vreinterpretq_s32_s8(activations[a]);
    UNROLL for (int group = 0; group < 4; group++) sums[a] = add_dots_of_4(sums[a], codes[group], four, group);
  }
#endif
}

/// Brings what `add_products` made to its lanes.
INLINE void order_products(int count, int32x4_t *sums) {
#if CK_I8MM
  UNROLL for (int a = 0; a < count; a += 2) {
    const int32x4_t even = vuzp1q_s32(sums[a], sums[a + 1]), odd = vuzp2q_s32(sums[a], sums[a + 1]);
    sums[a] = even;
    sums[a + 1] = odd;
  }
#else
  (void)count;
  (void)sums;
#endif
}

// Factors of 4 blocks: 16 bits of scale in the low halves of lanes, and the float16 minimum in the upper ones.

INLINE float32x4_t floats_of_halves(uint32x4_t lanes) { return vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(lanes))); }

INLINE float32x4_t floats_of_upper_halves(uint32x4_t lanes) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vshrn_n_u32(lanes, 16)));
}

/// 2^(exponent - 128): halves of 2^(exponent - 127), the bits of which are a denormal for 0; for 255 infinity.
INLINE float32x4_t floats_of_exponents(uint32x4_t lanes) {
  const uint32x4_t bits = vmaxq_u32(vshlq_n_u32(lanes, 23), vdupq_n_u32(0x00400000));
  return vmulq_n_f32(vreinterpretq_f32_u32(bits), 0.5f);
}

// Floats of 4 rows

/// The floats of 4 rows from `first` on, and zeros where there are no rows.
INLINE float32x4_t load_rows(const product *p, const float *output, size_t first) {
  if (first + 4 <= p->weight_rows) return vld1q_f32(output + first);
  float some[4] = {0};
  for (size_t r = first; r < p->weight_rows; r++) some[r - first] = output[r];
  return vld1q_f32(some);
}

/// Stores the floats of 4 rows from `first` on, of those that there are.
INLINE void store_rows(const product *p, float *output, size_t first, float32x4_t sum) {
  if (first + 4 <= p->weight_rows) {
    vst1q_f32(output + first, sum);
  } else {
    float some[4];
    vst1q_f32(some, sum);
    for (size_t r = first; r < p->weight_rows; r++) output[r] = some[r - first];
  }
}

#endif

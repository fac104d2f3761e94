/// Building blocks of the NEON float kernels: four registers hold the 16 lanes. All of it is in every arm64 CPU.
/// Denormals are kept, as Linux and Darwin start threads with flush-to-zero off.
#ifndef FLOAT_NEON_H
#define FLOAT_NEON_H

#pragma STDC FP_CONTRACT OFF

#include <arm_neon.h>
#include <stdint.h>

#include "ck_float.h"
#include "float_constants.h"

#define UNROLL _Pragma("clang loop unroll(full)")

/// Lanes 4 j to 4 j + 3 in vector j.
typedef struct {
  float32x4_t v[4];
} ck_lanes;

/// Bytes of an element.
CK_INLINE size_t ck_size(int kind) { return kind == CK_F32 ? 4 : 2; }

/// 4 elements from index `i` on.
CK_INLINE float32x4_t ck_load_4(int kind, const void *base, size_t i) {
  const char *p = (const char *)base + i * ck_size(kind);
  if (kind == CK_F32) return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p));
  const uint8x8_t half = vld1_u8((const uint8_t *)p);
  if (kind == CK_F16) return vcvt_f32_f16(vreinterpret_f16_u8(half));
  return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(half), 16));
}

/// The elements `i` ..< `count` (at most 4 of them), and zeros.
CK_INLINE float32x4_t ck_load_some_4(int kind, const void *base, size_t i, size_t count) {
  if (i + 4 <= count) return ck_load_4(kind, base, i);
  if (i >= count) return vdupq_n_f32(0);
  uint32_t padded[4] = {0};
  __builtin_memcpy(padded, (const char *)base + i * ck_size(kind), (count - i) * ck_size(kind));
  return ck_load_4(kind, padded, 0);
}

/// Stores those of 4 elements that are below `count`.
CK_INLINE void ck_store_some_4(float *base, size_t i, size_t count, float32x4_t values) {
  if (i + 4 <= count) {
    vst1q_f32(base + i, values);
  } else {
    float some[4];
    vst1q_f32(some, values);
    for (size_t j = i; j < count; j++) base[j] = some[j - i];
  }
}

CK_INLINE ck_lanes ck_zero_lanes(void) {
  ck_lanes lanes;
  UNROLL for (int j = 0; j < 4; j++) lanes.v[j] = vdupq_n_f32(0);
  return lanes;
}

/// 16 elements from index `i` on, those from `count` on as zeros.
CK_INLINE ck_lanes ck_load_lanes(int kind, const void *base, size_t i, size_t count) {
  ck_lanes lanes;
  if (i + 16 <= count) {
    UNROLL for (size_t j = 0; j < 4; j++) lanes.v[j] = ck_load_4(kind, base, i + 4 * j);
  } else {
    UNROLL for (size_t j = 0; j < 4; j++) lanes.v[j] = ck_load_some_4(kind, base, i + 4 * j, count);
  }
  return lanes;
}

CK_INLINE ck_lanes ck_fma_lanes(ck_lanes left, ck_lanes right, ck_lanes sum) {
  UNROLL for (int j = 0; j < 4; j++) sum.v[j] = vfmaq_f32(sum.v[j], left.v[j], right.v[j]);
  return sum;
}

/// Two steps of the tree: lane l += lane l + 8, + 4.
CK_INLINE float32x4_t ck_fold_lanes(ck_lanes lanes) {
  return vaddq_f32(vaddq_f32(lanes.v[0], lanes.v[2]), vaddq_f32(lanes.v[1], lanes.v[3]));
}

/// The tree: lane l += lane l + 8, + 4, + 2, + 1.
CK_INLINE float ck_sum_lanes(ck_lanes lanes) {
  const float32x4_t four = ck_fold_lanes(lanes);
  return vpadds_f32(vadd_f32(vget_low_f32(four), vget_high_f32(four)));
}

/// The tree of four sums at once.
CK_INLINE float32x4_t ck_sum_4(const ck_lanes sums[4]) {
  float64x2_t four[4];
  UNROLL for (int j = 0; j < 4; j++) four[j] = vreinterpretq_f64_f32(ck_fold_lanes(sums[j]));
  const float32x4_t a = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(four[0], four[1])),
                                  vreinterpretq_f32_f64(vzip2q_f64(four[0], four[1])));
  const float32x4_t b = vaddq_f32(vreinterpretq_f32_f64(vzip1q_f64(four[2], four[3])),
                                  vreinterpretq_f32_f64(vzip2q_f64(four[2], four[3])));
  return vpaddq_f32(a, b);
}

/// All bits set in the first `count` of 4 lanes.
CK_INLINE uint32x4_t ck_mask_4(size_t count) {
  const uint32_t places[4] = {0, 1, 2, 3};
  return vcgtq_u32(vdupq_n_u32(count < 4 ? (uint32_t)count : 4), vld1q_u32(places));
}

/// e^x.
CK_INLINE float32x4_t ck_exp_4(float32x4_t x) {
  const float32x4_t magic = vdupq_n_f32(CK_EXP_MAGIC);
  const float32x4_t shifted = vfmaq_f32(magic, x, vdupq_n_f32(CK_LOG2_E));
  const float32x4_t n = vsubq_f32(shifted, magic);
  float32x4_t r = vfmsq_f32(x, n, vdupq_n_f32(CK_LN2_HIGH));
  r = vfmsq_f32(r, n, vdupq_n_f32(CK_LN2_LOW));
  float32x4_t q = vdupq_n_f32(CK_EXP_6);
  q = vfmaq_f32(vdupq_n_f32(CK_EXP_5), q, r);
  q = vfmaq_f32(vdupq_n_f32(CK_EXP_4), q, r);
  q = vfmaq_f32(vdupq_n_f32(CK_EXP_3), q, r);
  q = vfmaq_f32(vdupq_n_f32(CK_EXP_2), q, r);
  const float32x4_t p = vaddq_f32(vdupq_n_f32(1), vfmaq_f32(r, vmulq_f32(r, r), q));
  const uint32x4_t exponent = vshlq_n_u32(vreinterpretq_u32_f32(shifted), 23);
  const float32x4_t power = vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p), exponent));
  const uint32x4_t high = vcgtq_f32(x, vdupq_n_f32(CK_EXP_HIGHEST));
  const uint32x4_t low = vcltq_f32(x, vdupq_n_f32(CK_EXP_LOWEST));
  float32x4_t result = vbslq_f32(high, vdupq_n_f32(__builtin_inff()), power);
  result = vbslq_f32(low, vdupq_n_f32(0), result);
  return vbslq_f32(vceqq_f32(x, x), result, x);
}

#endif

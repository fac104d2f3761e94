/// Norm, softmax, SwiGLU, rotation, number conversion and the combine grid, NEON. Plain loops are vectorized by the
/// compiler, which keeps their bits.
#if defined(__aarch64__)
#include "float_neon.h"

#pragma STDC FP_CONTRACT OFF

float ck_dot_f32_f32_neon(const float *left, const float *right, size_t count) {
  ck_lanes sum = ck_zero_lanes();
  for (size_t i = 0; i < count; i += 16)
    sum = ck_fma_lanes(ck_load_lanes(CK_F32, left, i, count), ck_load_lanes(CK_F32, right, i, count), sum);
  return ck_sum_lanes(sum);
}

void ck_rms_norm_neon(const float *input, const float *weight, float epsilon, size_t count, float *output) {
  const float mean = ck_dot_f32_f32_neon(input, input, count) / (float)count;
  const float inverse = 1 / vget_lane_f32(vsqrt_f32(vdup_n_f32(mean + epsilon)), 0);
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t scaled = vmulq_n_f32(ck_load_some_4(CK_F32, input, i, count), inverse);
    ck_store_some_4(output, i, count, vmulq_f32(scaled, ck_load_some_4(CK_F32, weight, i, count)));
  }
}

void ck_softmax_neon(float *values, size_t count) {
  if (count == 0) return;
  float32x4_t largest = vdupq_n_f32(-__builtin_inff());
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t x = ck_load_some_4(CK_F32, values, i, count);
    largest = vmaxnmq_f32(vbslq_f32(ck_mask_4(count - i), x, largest), largest);
  }
  const float32x4_t maximum = vdupq_n_f32(vmaxnmvq_f32(largest) + 0.0f);

  ck_lanes sums = ck_zero_lanes();
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t power = ck_exp_4(vsubq_f32(ck_load_some_4(CK_F32, values, i, count), maximum));
    ck_store_some_4(values, i, count, power);
    // Lanes without an element stay as they are: a sum is never -0.
    const uint32x4_t some = vandq_u32(vreinterpretq_u32_f32(power), ck_mask_4(count - i));
    sums.v[i / 4 % 4] = vaddq_f32(sums.v[i / 4 % 4], vreinterpretq_f32_u32(some));
  }
  const float sum = ck_sum_lanes(sums);
  for (size_t i = 0; i < count; i++) values[i] = values[i] / sum;
}

void ck_swiglu_neon(const float *gate, const float *up, size_t count, float *output) {
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t x = ck_load_some_4(CK_F32, gate, i, count);
    const float32x4_t silu = vdivq_f32(x, vaddq_f32(vdupq_n_f32(1), ck_exp_4(vnegq_f32(x))));
    ck_store_some_4(output, i, count, vmulq_f32(silu, ck_load_some_4(CK_F32, up, i, count)));
  }
}

void ck_add_neon(const float *source, float *destination, size_t count) {
  for (size_t i = 0; i < count; i++) destination[i] += source[i];
}

bool ck_store_f32_neon(const float *input, size_t count, void *output) {
  const uint32x4_t infinite = vdupq_n_u32(0x7F800000);
  uint32x4_t bad = vdupq_n_u32(0);
  for (size_t i = 0; i < count; i += 4) {
    const float32x4_t x = ck_load_some_4(CK_F32, input, i, count);
    bad = vorrq_u32(bad, vceqq_u32(vandq_u32(vreinterpretq_u32_f32(x), infinite), infinite));
    ck_store_some_4(output, i, count, x);
  }
  return vmaxvq_u32(bad) == 0;
}

bool ck_store_f16_neon(const float *input, size_t count, void *output) {
  const uint16x4_t infinite = vdup_n_u16(0x7C00);
  uint16x4_t bad = vdup_n_u16(0);
  for (size_t i = 0; i < count; i += 4) {
    const uint16x4_t half = vreinterpret_u16_f16(vcvt_f16_f32(ck_load_some_4(CK_F32, input, i, count)));
    bad = vorr_u16(bad, vceq_u16(vand_u16(half, infinite), infinite));
    __builtin_memcpy((char *)output + 2 * i, &half, count - i >= 4 ? 8 : 2 * (count - i));
  }
  return vmaxv_u16(bad) == 0;
}

void ck_rotate_half_split_neon(float *head, const float *cosines, const float *sines, size_t pairs) {
  for (size_t i = 0; i < pairs; i += 4) {
    const float32x4_t x = ck_load_some_4(CK_F32, head, i, pairs), y = ck_load_some_4(CK_F32, head + pairs, i, pairs);
    const float32x4_t c = ck_load_some_4(CK_F32, cosines, i, pairs), s = ck_load_some_4(CK_F32, sines, i, pairs);
    ck_store_some_4(head, i, pairs, vfmaq_f32(vnegq_f32(vmulq_f32(y, s)), x, c));
    ck_store_some_4(head + pairs, i, pairs, vfmaq_f32(vmulq_f32(y, c), x, s));
  }
}

void ck_rotate_interleaved_neon(float *head, const float *cosines, const float *sines, size_t pairs) {
  size_t i = 0;
  for (; i + 4 <= pairs; i += 4) {
    const float32x4x2_t both = vld2q_f32(head + 2 * i);
    const float32x4_t c = vld1q_f32(cosines + i), s = vld1q_f32(sines + i);
    float32x4x2_t turned;
    turned.val[0] = vfmaq_f32(vnegq_f32(vmulq_f32(both.val[1], s)), both.val[0], c);
    turned.val[1] = vfmaq_f32(vmulq_f32(both.val[1], c), both.val[0], s);
    vst2q_f32(head + 2 * i, turned);
  }
  for (; i < pairs; i++) {
    const float x = head[2 * i], y = head[2 * i + 1];
    head[2 * i] = __builtin_fmaf(x, cosines[i], -(y * sines[i]));
    head[2 * i + 1] = __builtin_fmaf(x, sines[i], y * cosines[i]);
  }
}

bool ck_accumulate_neon(const float *values, float weight, double scale, size_t count, int64_t *sums) {
  const float64x2_t limit = vdupq_n_f64(CK_GRID_LIMIT), magic = vdupq_n_f64(CK_GRID_MAGIC);
  uint64x2_t fits = vdupq_n_u64(UINT64_MAX);
  for (size_t i = 0; i < count; i += 4) {
    // Behind the last value there are zeros, which fit.
    const float32x4_t product = vmulq_n_f32(ck_load_some_4(CK_F32, values, i, count), weight);
    const uint32x4_t some = vandq_u32(vreinterpretq_u32_f32(product), ck_mask_4(count - i));
    const float32x4_t four = vreinterpretq_f32_u32(some);
    int64_t units[4];
    UNROLL for (int half = 0; half < 2; half++) {
      const float32x2_t two = half ? vget_high_f32(four) : vget_low_f32(four);
      const float64x2_t value = vmulq_n_f64(vcvt_f64_f32(two), scale);
      fits = vandq_u64(fits, vcltq_f64(vabsq_f64(value), limit));
      const int64x2_t rounded = vreinterpretq_s64_f64(vaddq_f64(value, magic));
      vst1q_s64(units + 2 * half, vsubq_s64(rounded, vreinterpretq_s64_f64(magic)));
    }
    const size_t here = count - i < 4 ? count - i : 4;
    for (size_t j = 0; j < here; j++) sums[i + j] = (int64_t)((uint64_t)sums[i + j] + (uint64_t)units[j]);
  }
  return (vgetq_lane_u64(fits, 0) & vgetq_lane_u64(fits, 1)) == UINT64_MAX;
}

void ck_add_accumulated_neon(const int64_t *sums, double scale, size_t count, float *residual) {
  for (size_t i = 0; i < count; i++) residual[i] += (float)((double)sums[i] * scale);
}
#endif

// Quantization of activations to int8, and completion of received rows, for NEON.
#pragma STDC FP_CONTRACT OFF
#include "quant_activations.h"

#if defined(__aarch64__)
#include <arm_neon.h>

INLINE bool quantize(const float *input, size_t elements, void *base, size_t block) {
  const activation_row row = activation_row_at(base, elements, block);
  for (size_t start = 0; start < elements; start += block) {
    uint32x4_t largest = vdupq_n_u32(0);
    for (size_t i = start; i < start + block; i += 4) {
      const uint32x4_t bits = vreinterpretq_u32_f32(vld1q_f32(input + i));
      largest = vmaxq_u32(largest, vandq_u32(bits, vdupq_n_u32(0x7fffffff)));
    }
    const uint32_t largest_bits = vmaxvq_u32(largest);
    if (largest_bits >= INFINITY_BITS) return false;
    const float inverse = block_inverse(largest_bits, &row.scales[start / block]);
    for (size_t i = start; i < start + block; i += 16) {
      int16x4_t rounded[4];
      for (size_t j = 0; j < 4; j++)
        rounded[j] = vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(input + i + 4 * j), inverse)));
      const int8x8_t low = vqmovn_s16(vcombine_s16(rounded[0], rounded[1]));
      const int8x8_t high = vqmovn_s16(vcombine_s16(rounded[2], rounded[3]));
      const int8x16_t packed = vmaxq_s8(vcombine_s8(low, high), vdupq_n_s8(-127));
      vst1q_s8(row.elements + i, packed);
      row.sums[i / 16] = vaddlvq_s8(packed);
    }
  }
  return true;
}

INLINE bool complete(size_t elements, void *base, size_t block) {
  const activation_row row = activation_row_at(base, elements, block);
  for (size_t i = 0; i < elements / block; i++)
    if (load_u32(&row.scales[i]) >= INFINITY_BITS) return false;
  int8x16_t lowest = vdupq_n_s8(0);
  for (size_t i = 0; i < elements; i += 16) {
    const int8x16_t values = vld1q_s8(row.elements + i);
    lowest = vminq_s8(lowest, values);
    row.sums[i / 16] = vaddlvq_s8(values);
  }
  return vminvq_s8(lowest) != -128;
}

bool ck_quantize_int8x32_neon(const float *input, size_t elements, void *row) {
  return quantize(input, elements, row, 32);
}

bool ck_quantize_int8x256_neon(const float *input, size_t elements, void *row) {
  return quantize(input, elements, row, 256);
}

bool ck_complete_int8x32_neon(size_t elements, void *row) { return complete(elements, row, 32); }

bool ck_complete_int8x256_neon(size_t elements, void *row) { return complete(elements, row, 256); }
#endif

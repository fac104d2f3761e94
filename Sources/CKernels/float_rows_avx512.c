/// Norm, softmax, SwiGLU, number conversion and the combine grid, AVX-512. All loops end with a masked step.
#if defined(__x86_64__)
#include "float_avx512.h"

#pragma STDC FP_CONTRACT OFF

/// The lanes from index `i` on that are below `count`.
CK_INLINE_AVX512 __mmask16 mask_at(size_t i, size_t count) {
  return count - i >= 16 ? (__mmask16)0xFFFF : ck_mask_512(count - i);
}

CK_AVX512 void ck_rms_norm_avx512(const float *input, const float *weight, float epsilon, size_t count,
                                  float *output) {
  const float mean = ck_dot_f32_f32_avx512(input, input, count) / (float)count;
  const float root = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(mean + epsilon)));
  const __m512 inverse = _mm512_set1_ps(1 / root);
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 mask = mask_at(i, count);
    const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, input + i), inverse);
    _mm512_mask_storeu_ps(output + i, mask, _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(mask, weight + i)));
  }
}

CK_AVX512 void ck_softmax_avx512(float *values, size_t count) {
  if (count == 0) return;
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 largest = lowest;
  for (size_t i = 0; i < count; i += 16)
    largest = _mm512_max_ps(_mm512_mask_loadu_ps(lowest, mask_at(i, count), values + i), largest);
  const __m512 maximum = _mm512_set1_ps(_mm512_reduce_max_ps(largest) + 0.0f);

  __m512 sums = _mm512_setzero_ps();
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 mask = mask_at(i, count);
    const __m512 x = _mm512_mask_loadu_ps(lowest, mask, values + i);
    const __m512 power = ck_exp_512(_mm512_sub_ps(x, maximum));
    _mm512_mask_storeu_ps(values + i, mask, power);
    sums = _mm512_mask_add_ps(sums, mask, sums, power);
  }
  const __m512 sum = _mm512_set1_ps(ck_sum_512(sums));
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 mask = mask_at(i, count);
    _mm512_mask_storeu_ps(values + i, mask, _mm512_div_ps(_mm512_maskz_loadu_ps(mask, values + i), sum));
  }
}

CK_AVX512 void ck_swiglu_avx512(const float *gate, const float *up, size_t count, float *output) {
  const __m512 one = _mm512_set1_ps(1), sign = _mm512_set1_ps(-0.0f);
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 mask = mask_at(i, count);
    const __m512 x = _mm512_maskz_loadu_ps(mask, gate + i);
    const __m512 silu = _mm512_div_ps(x, _mm512_add_ps(one, ck_exp_512(_mm512_xor_ps(x, sign))));
    _mm512_mask_storeu_ps(output + i, mask, _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i)));
  }
}

CK_AVX512 bool ck_store_f16_avx512(const float *input, size_t count, void *output) {
  const __m256i infinite = _mm256_set1_epi16(0x7C00);
  __mmask16 bad = 0;
  for (size_t i = 0; i < count; i += 16) {
    const __mmask16 mask = mask_at(i, count);
    const __m256i half = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, input + i),
                                         _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    bad |= _mm256_cmpeq_epi16_mask(_mm256_and_si256(half, infinite), infinite);
    _mm256_mask_storeu_epi16((char *)output + 2 * i, mask, half);
  }
  return bad == 0;
}

CK_AVX512 bool ck_accumulate_avx512(const float *values, float weight, double scale, size_t count, int64_t *sums) {
  const __m512d limit = _mm512_set1_pd(CK_GRID_LIMIT), magic = _mm512_set1_pd(CK_GRID_MAGIC);
  const __m512d factor = _mm512_set1_pd(scale);
  const __m256 weights = _mm256_set1_ps(weight);
  __mmask8 bad = 0;
  for (size_t i = 0; i < count; i += 8) {
    const __mmask8 mask = count - i >= 8 ? (__mmask8)0xFF : (__mmask8)((1u << (count - i)) - 1);
    const __m256 product = _mm256_mul_ps(weights, _mm256_maskz_loadu_ps(mask, values + i));
    const __m512d value = _mm512_mul_pd(_mm512_cvtps_pd(product), factor);
    bad |= _mm512_mask_cmp_pd_mask(mask, _mm512_abs_pd(value), limit, _CMP_NLT_UQ);
    const __m512i units =
        _mm512_sub_epi64(_mm512_castpd_si512(_mm512_add_pd(value, magic)), _mm512_castpd_si512(magic));
    _mm512_mask_storeu_epi64(sums + i, mask, _mm512_add_epi64(_mm512_maskz_loadu_epi64(mask, sums + i), units));
  }
  return bad == 0;
}

CK_AVX512 void ck_add_accumulated_avx512(const int64_t *sums, double scale, size_t count, float *residual) {
  const __m512d factor = _mm512_set1_pd(scale);
  for (size_t i = 0; i < count; i += 8) {
    const __mmask8 mask = count - i >= 8 ? (__mmask8)0xFF : (__mmask8)((1u << (count - i)) - 1);
    const __m512d value = _mm512_mul_pd(_mm512_cvtepi64_pd(_mm512_maskz_loadu_epi64(mask, sums + i)), factor);
    const __m256 sum = _mm256_add_ps(_mm256_maskz_loadu_ps(mask, residual + i), _mm512_cvtpd_ps(value));
    _mm256_mask_storeu_ps(residual + i, mask, sum);
  }
}
#endif

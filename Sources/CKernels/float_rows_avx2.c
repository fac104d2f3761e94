/// Norm, softmax, SwiGLU, rotation, number conversion and the combine grid, AVX2. All loops end with a masked step.
#if defined(__x86_64__)
#include "float_avx2.h"

#pragma STDC FP_CONTRACT OFF

/// The lanes from index `i` on that are below `count`.
CK_INLINE_AVX2 __m256i mask_at(size_t i, size_t count) { return ck_mask_256((ptrdiff_t)(count - i)); }

CK_INLINE_AVX2 float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

CK_AVX2 void ck_rms_norm_avx2(const float *input, const float *weight, float epsilon, size_t count, float *output) {
  const float mean = ck_dot_f32_f32_avx2(input, input, count) / (float)count;
  const __m256 inverse = _mm256_set1_ps(1 / square_root(mean + epsilon));
  for (size_t i = 0; i < count; i += 8) {
    const __m256i mask = mask_at(i, count);
    const __m256 scaled = _mm256_mul_ps(_mm256_maskload_ps(input + i, mask), inverse);
    _mm256_maskstore_ps(output + i, mask, _mm256_mul_ps(scaled, _mm256_maskload_ps(weight + i, mask)));
  }
}

/// The lanes of the mask, and minus infinity.
CK_INLINE_AVX2 __m256 load_or_lowest(const float *p, __m256i mask) {
  return _mm256_blendv_ps(_mm256_set1_ps(-__builtin_inff()), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}

CK_AVX2 void ck_softmax_avx2(float *values, size_t count) {
  if (count == 0) return;
  __m256 largest = _mm256_set1_ps(-__builtin_inff());
  for (size_t i = 0; i < count; i += 8)
    largest = _mm256_max_ps(load_or_lowest(values + i, mask_at(i, count)), largest);
  const __m256 maximum = _mm256_set1_ps(ck_max_256(largest) + 0.0f);

  __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < count; i += 8) {
    const __m256i mask = mask_at(i, count);
    const __m256 x = _mm256_sub_ps(load_or_lowest(values + i, mask), maximum);
    const __m256 power = _mm256_and_ps(ck_exp_256(x), _mm256_castsi256_ps(mask));
    _mm256_maskstore_ps(values + i, mask, power);
    sums[i / 8 % 2] = _mm256_add_ps(sums[i / 8 % 2], power);
  }
  const ck_lanes lanes = {sums[0], sums[1]};
  const __m256 sum = _mm256_set1_ps(ck_sum_lanes(lanes));
  for (size_t i = 0; i < count; i += 8) {
    const __m256i mask = mask_at(i, count);
    _mm256_maskstore_ps(values + i, mask, _mm256_div_ps(_mm256_maskload_ps(values + i, mask), sum));
  }
}

CK_AVX2 void ck_swiglu_avx2(const float *gate, const float *up, size_t count, float *output) {
  const __m256 one = _mm256_set1_ps(1), sign = _mm256_set1_ps(-0.0f);
  for (size_t i = 0; i < count; i += 8) {
    const __m256i mask = mask_at(i, count);
    const __m256 x = _mm256_maskload_ps(gate + i, mask);
    const __m256 silu = _mm256_div_ps(x, _mm256_add_ps(one, ck_exp_256(_mm256_xor_ps(x, sign))));
    _mm256_maskstore_ps(output + i, mask, _mm256_mul_ps(silu, _mm256_maskload_ps(up + i, mask)));
  }
}

CK_AVX2 void ck_add_avx2(const float *source, float *destination, size_t count) {
  for (size_t i = 0; i < count; i += 8) {
    const __m256i mask = mask_at(i, count);
    const __m256 sum = _mm256_add_ps(_mm256_maskload_ps(destination + i, mask), _mm256_maskload_ps(source + i, mask));
    _mm256_maskstore_ps(destination + i, mask, sum);
  }
}

CK_AVX2 bool ck_store_f32_avx2(const float *input, size_t count, void *output) {
  const __m256i infinite = _mm256_set1_epi32(0x7F800000);
  __m256i bad = _mm256_setzero_si256();
  float *target = output;
  for (size_t i = 0; i < count; i += 8) {
    const __m256i mask = mask_at(i, count);
    const __m256 x = _mm256_maskload_ps(input + i, mask);
    bad = _mm256_or_si256(bad, _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_castps_si256(x), infinite), infinite));
    _mm256_maskstore_ps(target + i, mask, x);
  }
  return _mm256_testz_si256(bad, bad);
}

CK_AVX2 bool ck_store_f16_avx2(const float *input, size_t count, void *output) {
  const __m128i infinite = _mm_set1_epi16(0x7C00);
  __m128i bad = _mm_setzero_si128();
  for (size_t i = 0; i < count; i += 8) {
    const __m256 x = ck_load_some_256(CK_F32, input, i, count);
    const __m128i half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    bad = _mm_or_si128(bad, _mm_cmpeq_epi16(_mm_and_si128(half, infinite), infinite));
    uint16_t stored[8];
    _mm_storeu_si128((__m128i *)stored, half);
    __builtin_memcpy((char *)output + 2 * i, stored, count - i >= 8 ? 16 : 2 * (count - i));
  }
  return _mm_testz_si128(bad, bad);
}

/// Codes of 8 elements, -127 to 127.
CK_INLINE_AVX2 __m256i codes_of(__m256 x, __m256 inverse) {
  const __m256i code = _mm256_cvtps_epi32(_mm256_mul_ps(x, inverse)), limit = _mm256_set1_epi32(127);
  return _mm256_max_epi32(_mm256_min_epi32(code, limit), _mm256_sub_epi32(_mm256_setzero_si256(), limit));
}

CK_AVX2 bool ck_store_q8_avx2(const float *input, size_t count, void *output) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  char *block = output;
  for (size_t i = 0; i < count; i += 32, block += CK_Q8_BLOCK) {
    __m256 x[4];
    __m256i largest = _mm256_setzero_si256();
    for (size_t j = 0; j < 4; j++) {
      x[j] = ck_load_some_256(CK_F32, input, i + 8 * j, count);
      // Magnitudes rank as integers do; what is not finite ranks highest.
      largest = _mm256_max_epu32(largest, _mm256_castps_si256(_mm256_andnot_ps(sign, x[j])));
    }
    __m128i most = _mm_max_epu32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0x4E));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0xB1));
    if (_mm_cvtsi128_si32(most) >= 0x7F800000) return false;
    const __m128 ideal = _mm_div_ss(_mm_castsi128_ps(most), _mm_set_ss(127));
    const __m128i half = _mm_cvtps_ph(ideal, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const uint16_t scale = (uint16_t)_mm_cvtsi128_si32(half);
    if ((scale & 0x7C00) == 0x7C00) return false;
    const __m256 inverse = _mm256_set1_ps(scale == 0 ? 0 : 1 / _mm_cvtss_f32(_mm_cvtph_ps(half)));
    const __m256i low = _mm256_packs_epi32(codes_of(x[0], inverse), codes_of(x[1], inverse));
    const __m256i high = _mm256_packs_epi32(codes_of(x[2], inverse), codes_of(x[3], inverse));
    const __m256i mixed = _mm256_packs_epi16(low, high);
    const __m256i codes = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    __builtin_memcpy(block, &scale, sizeof scale);
    _mm256_storeu_si256((__m256i *)(block + 2), codes);
  }
  return true;
}

CK_AVX2 void ck_rotate_half_split_avx2(float *head, const float *cosines, const float *sines, size_t pairs) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  for (size_t i = 0; i < pairs; i += 8) {
    const __m256i mask = mask_at(i, pairs);
    const __m256 x = _mm256_maskload_ps(head + i, mask), y = _mm256_maskload_ps(head + pairs + i, mask);
    const __m256 c = _mm256_maskload_ps(cosines + i, mask), s = _mm256_maskload_ps(sines + i, mask);
    const __m256 first = _mm256_fmadd_ps(x, c, _mm256_xor_ps(_mm256_mul_ps(y, s), sign));
    const __m256 second = _mm256_fmadd_ps(x, s, _mm256_mul_ps(y, c));
    _mm256_maskstore_ps(head + i, mask, first);
    _mm256_maskstore_ps(head + pairs + i, mask, second);
  }
}

CK_AVX2 void ck_rotate_interleaved_avx2(float *head, const float *cosines, const float *sines, size_t pairs) {
  for (size_t i = 0; i < pairs; i += 4) {
    const __m256i mask = ck_mask_256(2 * (ptrdiff_t)(pairs - i));
    const __m128i few = _mm256_castsi256_si128(ck_mask_256((ptrdiff_t)(pairs - i)));
    const __m128 c = _mm_maskload_ps(cosines + i, few), s = _mm_maskload_ps(sines + i, few);
    const __m256 both = _mm256_maskload_ps(head + 2 * i, mask);
    // Even lanes get x cos - (y sin), odd lanes x sin + (y cos), the brackets rounded.
    const __m256 x_factor = _mm256_set_m128(_mm_unpackhi_ps(c, s), _mm_unpacklo_ps(c, s));
    const __m256 y_factor = _mm256_set_m128(_mm_unpackhi_ps(s, c), _mm_unpacklo_ps(s, c));
    const __m256 product = _mm256_mul_ps(_mm256_movehdup_ps(both), y_factor);
    const __m256 turned = _mm256_fmaddsub_ps(_mm256_moveldup_ps(both), x_factor, product);
    _mm256_maskstore_ps(head + 2 * i, mask, turned);
  }
}

/// The first `count` of 4 lanes of 64 bits.
CK_INLINE_AVX2 __m256i mask_4(size_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count < 4 ? (long long)count : 4), _mm256_setr_epi64x(0, 1, 2, 3));
}

CK_AVX2 bool ck_accumulate_avx2(const float *values, float weight, double scale, size_t count, int64_t *sums) {
  const __m256d limit = _mm256_set1_pd(CK_GRID_LIMIT), magic = _mm256_set1_pd(CK_GRID_MAGIC);
  const __m256d factor = _mm256_set1_pd(scale), sign = _mm256_set1_pd(-0.0);
  const __m128 weights = _mm_set1_ps(weight);
  __m256d bad = _mm256_setzero_pd();
  for (size_t i = 0; i < count; i += 4) {
    const __m256i mask = mask_4(count - i);
    const __m128i few = _mm256_castsi256_si128(ck_mask_256((ptrdiff_t)(count - i)));
    const __m128 product = _mm_mul_ps(weights, _mm_maskload_ps(values + i, few));
    const __m256d value = _mm256_mul_pd(_mm256_cvtps_pd(product), factor);
    const __m256d unfit = _mm256_cmp_pd(_mm256_andnot_pd(sign, value), limit, _CMP_NLT_UQ);
    bad = _mm256_or_pd(bad, _mm256_and_pd(unfit, _mm256_castsi256_pd(mask)));
    const __m256i units =
        _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(value, magic)), _mm256_castpd_si256(magic));
    long long *target = (long long *)(sums + i);
    _mm256_maskstore_epi64(target, mask, _mm256_add_epi64(_mm256_maskload_epi64(target, mask), units));
  }
  return _mm256_movemask_pd(bad) == 0;
}

CK_AVX2 void ck_add_accumulated_avx2(const int64_t *sums, double scale, size_t count, float *residual) {
  for (size_t i = 0; i < count; i++) residual[i] += (float)((double)sums[i] * scale);
}
#endif

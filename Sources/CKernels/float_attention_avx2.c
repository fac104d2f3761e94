/// One tile of attention, AVX2.
#if defined(__x86_64__)
#include "float_avx2.h"

#pragma STDC FP_CONTRACT OFF

/// The tree of four sums at once.
CK_INLINE_AVX2 __m128 sum_4(const ck_lanes *sums) {
  __m256 eight[4];
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; j++) eight[j] = _mm256_add_ps(sums[j].low, sums[j].high);
  const __m256 four_a =
      _mm256_add_ps(_mm256_permute2f128_ps(eight[0], eight[1], 0x20), _mm256_permute2f128_ps(eight[0], eight[1], 0x31));
  const __m256 four_b =
      _mm256_add_ps(_mm256_permute2f128_ps(eight[2], eight[3], 0x20), _mm256_permute2f128_ps(eight[2], eight[3], 0x31));
  const __m256d a = _mm256_castps_pd(four_a), b = _mm256_castps_pd(four_b);
  const __m256 two = _mm256_add_ps(_mm256_castpd_ps(_mm256_shuffle_pd(a, b, 0x0)),
                                   _mm256_castpd_ps(_mm256_shuffle_pd(a, b, 0xF)));
  // two: sums 0, 0, 2, 2, 1, 1, 3, 3.
  const __m256 one = _mm256_add_ps(_mm256_shuffle_ps(two, two, 0x88), _mm256_shuffle_ps(two, two, 0xDD));
  return _mm_unpacklo_ps(_mm256_castps256_ps128(one), _mm256_extractf128_ps(one, 1));
}

/// Products of the query with the 4 keys from position `first` on; positions from `count` on give no meaning.
CK_INLINE_AVX2 __m128 dots_4(int kind, const float *query, const char *keys, size_t stride, size_t first,
                             size_t count, size_t elements) {
  const char *rows[4];
  ck_lanes sums[4];
#pragma clang loop unroll(full)
  for (size_t j = 0; j < 4; j++) {
    rows[j] = keys + (first + j < count ? first + j : count - 1) * stride;
    sums[j] = ck_zero_lanes();
  }
  const size_t whole = elements & ~(size_t)15;
  for (size_t i = 0; i < whole; i += 16) {
    const ck_lanes q = ck_load_lanes(CK_F32, query, i, whole);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) sums[j] = ck_fma_lanes(q, ck_load_lanes(kind, rows[j], i, whole), sums[j]);
  }
  if (whole < elements) {
    const ck_lanes q = ck_load_lanes(CK_F32, query, whole, elements);
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++) sums[j] = ck_fma_lanes(q, ck_load_lanes(kind, rows[j], whole, elements), sums[j]);
  }
  return sum_4(sums);
}

/// How the tile joins the running state.
typedef struct {
  float old_factor, tile_factor;
  bool is_first;
} merge_t;

CK_INLINE_AVX2 float exp_1(float x) { return _mm256_cvtss_f32(ck_exp_256(_mm256_set1_ps(x))); }

/// Writes maximum and sum of the state.
CK_INLINE_AVX2 merge_t merge(float *state, float largest, float sum, bool is_first) {
  merge_t result = {0, 1, is_first};
  if (is_first) {
    state[0] = largest;
    state[1] = sum;
    return result;
  }
  const float maximum = largest > state[0] ? largest : state[0];
  result.old_factor = exp_1(state[0] - maximum);
  result.tile_factor = exp_1(largest - maximum);
  state[0] = maximum;
  state[1] = __builtin_fmaf(state[1], result.old_factor, sum * result.tile_factor);
  return result;
}

/// `width` x 8 elements of the weighted sum of the values (a constant after inlining); of a single 8 only the first
/// `elements`.
CK_INLINE_AVX2 void weigh(int kind, int width, const float *weights, const char *values, size_t stride, size_t count,
                          size_t elements, float *output, merge_t merge) {
  __m256 sums[8];
#pragma clang loop unroll(full)
  for (int d = 0; d < width; d++) sums[d] = _mm256_setzero_ps();
  for (size_t j = 0; j < count; j++) {
    const __m256 weight = _mm256_broadcast_ss(weights + j);
    const char *row = values + j * stride;
#pragma clang loop unroll(full)
    for (int d = 0; d < width; d++) {
      const __m256 v = width == 1 ? ck_load_some_256(kind, row, 0, elements) : ck_load_256(kind, row, 8 * (size_t)d);
      sums[d] = _mm256_fmadd_ps(weight, v, sums[d]);
    }
  }
  const __m256 old_factor = _mm256_set1_ps(merge.old_factor), tile_factor = _mm256_set1_ps(merge.tile_factor);
  const __m256i mask = ck_mask_256(width == 1 ? (ptrdiff_t)elements : 8);
#pragma clang loop unroll(full)
  for (int d = 0; d < width; d++) {
    float *target = output + 8 * d;
    if (!merge.is_first) {
      const __m256 old = _mm256_maskload_ps(target, mask);
      sums[d] = _mm256_fmadd_ps(old, old_factor, _mm256_mul_ps(sums[d], tile_factor));
    }
    _mm256_maskstore_ps(target, mask, sums[d]);
  }
}

CK_INLINE_AVX2 void attend(int kind, const float *query, const char *keys, size_t key_stride, const char *values,
                           size_t value_stride, size_t count, size_t key_elements, size_t value_elements, float scale,
                           float *scratch, float *state, bool is_first) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  for (size_t first = 0; first < CK_TILE; first += 8) _mm256_storeu_ps(scratch + first, lowest);
  for (size_t first = 0; first < count; first += 4) {
    const __m128i mask = _mm256_castsi256_si128(ck_mask_256((ptrdiff_t)(count - first)));
    const __m128 dots = dots_4(kind, query, keys, key_stride, first, count, key_elements);
    _mm_maskstore_ps(scratch + first, mask, _mm_mul_ps(dots, _mm_set1_ps(scale)));
  }
  __m256 largest = lowest;
  for (size_t first = 0; first < CK_TILE; first += 8)
    largest = _mm256_max_ps(_mm256_loadu_ps(scratch + first), largest);
  const float maximum = ck_max_256(largest) + 0.0f;

  ck_lanes sums = ck_zero_lanes();
  for (size_t first = 0; first < count; first += 8) {
    const __m256i mask = ck_mask_256((ptrdiff_t)(count - first));
    const __m256 x = _mm256_sub_ps(_mm256_loadu_ps(scratch + first), _mm256_set1_ps(maximum));
    const __m256 weights = _mm256_and_ps(ck_exp_256(x), _mm256_castsi256_ps(mask));
    if (first / 8 % 2 == 0)
      sums.low = _mm256_add_ps(sums.low, weights);
    else
      sums.high = _mm256_add_ps(sums.high, weights);
    _mm256_storeu_ps(scratch + first, weights);
  }
  const merge_t how = merge(state, maximum, ck_sum_lanes(sums), is_first);

  const size_t size = ck_size(kind);
  float *output = state + 2;
  size_t d = 0;
  for (; d + 64 <= value_elements; d += 64)
    weigh(kind, 8, scratch, values + d * size, value_stride, count, 64, output + d, how);
  for (; d + 16 <= value_elements; d += 16)
    weigh(kind, 2, scratch, values + d * size, value_stride, count, 16, output + d, how);
  for (; d < value_elements; d += 8)
    weigh(kind, 1, scratch, values + d * size, value_stride, count, value_elements - d, output + d, how);
}

CK_AVX2 CK_DECLARE_ATTEND(ck_attend_f32_f32_avx2) {
  attend(CK_F32, query, keys, key_stride, values, value_stride, count, key_elements, value_elements, scale, scratch,
         state, is_first);
}

CK_AVX2 CK_DECLARE_ATTEND(ck_attend_f16_f32_avx2) {
  attend(CK_F16, query, keys, key_stride, values, value_stride, count, key_elements, value_elements, scale, scratch,
         state, is_first);
}
#endif

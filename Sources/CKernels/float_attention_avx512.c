/// One tile of attention, AVX-512.
#if defined(__x86_64__)
#include "float_avx512.h"

#pragma STDC FP_CONTRACT OFF

/// Low (`high` 0) or high 256 bits of two registers side by side.
#define HALVES(a, b, high) _mm512_shuffle_f32x4(a, b, (high) ? 0xEE : 0x44)

/// The tree of 16 registers at once: lane j of the result is the sum of the lanes of register j.
CK_INLINE_AVX512 __m512 sum_16(const __m512 *v) {
  __m512 eight[8], four[4], two[2];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; i++) eight[i] = _mm512_add_ps(HALVES(v[i], v[i + 8], 0), HALVES(v[i], v[i + 8], 1));
  // eight[i]: lanes 0-7 belong to i, lanes 8-15 to i + 8.
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++)
    four[i] = _mm512_add_ps(_mm512_shuffle_f32x4(eight[i], eight[i + 4], 0x88),
                            _mm512_shuffle_f32x4(eight[i], eight[i + 4], 0xDD));
  // four[i]: quarters belong to i, i + 8, i + 4, i + 12.
#pragma clang loop unroll(full)
  for (int i = 0; i < 2; i++) {
    const __m512d a = _mm512_castps_pd(four[i]), b = _mm512_castps_pd(four[i + 2]);
    two[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_shuffle_pd(a, b, 0x00)),
                           _mm512_castpd_ps(_mm512_shuffle_pd(a, b, 0xFF)));
  }
  // two[i]: each quarter holds two lanes of its register and two of that + 2.
  const __m512 one = _mm512_add_ps(_mm512_shuffle_ps(two[0], two[1], 0x88), _mm512_shuffle_ps(two[0], two[1], 0xDD));
  // one: quarter q = (0, 8, 4, 12)[q] + (0, 2, 1, 3).
  const __m512i order = _mm512_setr_epi32(0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15);
  return _mm512_permutexvar_ps(order, one);
}

/// Products of the query with the 16 keys from position `first` on; positions from `count` on give no meaning.
CK_INLINE_AVX512 __m512 dots_16(int kind, const float *query, const char *keys, size_t stride, size_t first,
                                size_t count, size_t elements) {
  const char *rows[16];
  __m512 sums[16];
#pragma clang loop unroll(full)
  for (size_t j = 0; j < 16; j++) {
    rows[j] = keys + (first + j < count ? first + j : count - 1) * stride;
    sums[j] = _mm512_setzero_ps();
  }
  size_t i = 0;
  for (; i + 16 <= elements; i += 16) {
    const __m512 q = _mm512_loadu_ps(query + i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 16; j++) sums[j] = _mm512_fmadd_ps(q, ck_load_512(kind, rows[j], i), sums[j]);
  }
  if (i < elements) {
    const __mmask16 mask = ck_mask_512(elements - i);
    const __m512 q = _mm512_maskz_loadu_ps(mask, query + i);
#pragma clang loop unroll(full)
    for (int j = 0; j < 16; j++) sums[j] = _mm512_fmadd_ps(q, ck_load_some_512(kind, rows[j], i, mask), sums[j]);
  }
  return sum_16(sums);
}

/// How the tile joins the running state.
typedef struct {
  float old_factor, tile_factor;
  bool is_first;
} merge_t;

CK_INLINE_AVX512 float exp_1(float x) { return _mm512_cvtss_f32(ck_exp_512(_mm512_set1_ps(x))); }

/// Writes maximum and sum of the state.
CK_INLINE_AVX512 merge_t merge(float *state, float largest, float sum, bool is_first) {
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

/// `width` x 16 elements of the weighted sum of the values (a constant after inlining), the last 16 masked.
CK_INLINE_AVX512 void weigh(int kind, int width, const float *weights, const char *values, size_t stride, size_t count,
                            __mmask16 mask, float *output, merge_t merge) {
  __m512 sums[8];
#pragma clang loop unroll(full)
  for (int d = 0; d < width; d++) sums[d] = _mm512_setzero_ps();
  for (size_t j = 0; j < count; j++) {
    const __m512 weight = _mm512_set1_ps(weights[j]);
    const char *row = values + j * stride;
#pragma clang loop unroll(full)
    for (int d = 0; d < width; d++) {
      const __m512 v = width == 1 ? ck_load_some_512(kind, row, 0, mask) : ck_load_512(kind, row, 16 * (size_t)d);
      sums[d] = _mm512_fmadd_ps(weight, v, sums[d]);
    }
  }
  const __m512 old_factor = _mm512_set1_ps(merge.old_factor), tile_factor = _mm512_set1_ps(merge.tile_factor);
#pragma clang loop unroll(full)
  for (int d = 0; d < width; d++) {
    float *target = output + 16 * d;
    const __mmask16 part = width == 1 ? mask : (__mmask16)0xFFFF;
    if (!merge.is_first) {
      const __m512 old = _mm512_maskz_loadu_ps(part, target);
      sums[d] = _mm512_fmadd_ps(old, old_factor, _mm512_mul_ps(sums[d], tile_factor));
    }
    _mm512_mask_storeu_ps(target, part, sums[d]);
  }
}

CK_INLINE_AVX512 void attend(int kind, const float *query, const char *keys, size_t key_stride, const char *values,
                             size_t value_stride, size_t count, size_t key_elements, size_t value_elements,
                             float scale, float *scratch, float *state, bool is_first) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff()), factor = _mm512_set1_ps(scale);
  __m512 largest = lowest;
  for (size_t first = 0; first < CK_TILE; first += 16) {
    __m512 scores = lowest;
    if (first < count) {
      const __mmask16 mask = count - first >= 16 ? (__mmask16)0xFFFF : ck_mask_512(count - first);
      const __m512 dots = dots_16(kind, query, keys, key_stride, first, count, key_elements);
      scores = _mm512_mask_mul_ps(lowest, mask, dots, factor);
    }
    largest = _mm512_max_ps(scores, largest);
    _mm512_storeu_ps(scratch + first, scores);
  }
  const float maximum = _mm512_reduce_max_ps(largest) + 0.0f;
  __m512 sums = _mm512_setzero_ps();
  for (size_t first = 0; first < count; first += 16) {
    const __m512 x = _mm512_sub_ps(_mm512_loadu_ps(scratch + first), _mm512_set1_ps(maximum));
    const __mmask16 mask = count - first >= 16 ? (__mmask16)0xFFFF : ck_mask_512(count - first);
    const __m512 weights = _mm512_maskz_mov_ps(mask, ck_exp_512(x));
    sums = _mm512_add_ps(sums, weights);
    _mm512_storeu_ps(scratch + first, weights);
  }
  const merge_t how = merge(state, maximum, ck_sum_512(sums), is_first);

  const size_t width = ck_width(kind);
  float *output = state + 2;
  size_t d = 0;
  for (; d + 128 <= value_elements; d += 128)
    weigh(kind, 8, scratch, values + d * width, value_stride, count, 0, output + d, how);
  for (; d + 64 <= value_elements; d += 64)
    weigh(kind, 4, scratch, values + d * width, value_stride, count, 0, output + d, how);
  for (; d < value_elements; d += 16) {
    const __mmask16 mask = value_elements - d >= 16 ? (__mmask16)0xFFFF : ck_mask_512(value_elements - d);
    weigh(kind, 1, scratch, values + d * width, value_stride, count, mask, output + d, how);
  }
}

CK_AVX512 CK_DECLARE_ATTEND(ck_attend_f32_f32_avx512) {
  attend(CK_F32, query, keys, key_stride, values, value_stride, count, key_elements, value_elements, scale, scratch,
         state, is_first);
}

CK_AVX512 CK_DECLARE_ATTEND(ck_attend_f16_f32_avx512) {
  attend(CK_F16, query, keys, key_stride, values, value_stride, count, key_elements, value_elements, scale, scratch,
         state, is_first);
}
#endif

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

/// Products of `queries` queries (1 or 4) with 4 / `queries` keys from position `first` on, to scratch, where each
/// query has CK_TILE places. Positions from the tile's count on give no meaning.
CK_INLINE_AVX2 void dots(int kind, int queries, const ck_attention *tile, size_t query, size_t first) {
  const int positions = 4 / queries;
  const float *q[4];
  const char *keys[4];
  ck_lanes sums[4];
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++) q[j] = tile->queries + (query + (size_t)j) * tile->query_stride;
#pragma clang loop unroll(full)
  for (int j = 0; j < positions; j++) {
    const size_t position = first + (size_t)j < tile->count ? first + (size_t)j : tile->count - 1;
    keys[j] = (const char *)tile->keys + position * tile->key_stride;
  }
#pragma clang loop unroll(full)
  for (int j = 0; j < 4; j++) sums[j] = ck_zero_lanes();

  const size_t elements = tile->key_elements, whole = elements & ~(size_t)15;
  for (size_t i = 0; i < whole; i += 16)
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++)
      sums[j] = ck_fma_lanes(ck_load_lanes(CK_F32, q[j / positions], i, whole),
                             ck_load_lanes(kind, keys[j % positions], i, whole), sums[j]);
  if (whole < elements)
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j++)
      sums[j] = ck_fma_lanes(ck_load_lanes(CK_F32, q[j / positions], whole, elements),
                             ck_load_lanes(kind, keys[j % positions], whole, elements), sums[j]);

  const __m128 result = sum_4(sums);
  float products[4], *scratch = tile->scratch + CK_TILE * query + first;
  _mm_storeu_ps(products, result);
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++)
    __builtin_memcpy(scratch + CK_TILE * j, products + positions * j, sizeof(float) * (size_t)positions);
}

/// How a tile joins the running state of a query.
typedef struct {
  float old_factor, tile_factor;
} merge_t;

/// One for each query, behind their products.
CK_INLINE merge_t *merges(const ck_attention *tile) { return (merge_t *)(tile->scratch + CK_TILE * tile->query_count); }

CK_INLINE_AVX2 float exp_1(float x) { return _mm256_cvtss_f32(ck_exp_256(_mm256_set1_ps(x))); }

/// Writes maximum and sum of the state.
CK_INLINE_AVX2 merge_t merge(float *state, float largest, float sum, bool is_first) {
  merge_t result = {0, 1};
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

/// Turns the products of one query, `scratch`, into weights, and merges maximum and sum.
CK_INLINE_AVX2 merge_t weights_of(const ck_attention *tile, float *scratch, float *state) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff()), factor = _mm256_set1_ps(tile->scale);
  __m256 largest = lowest;
  for (size_t first = 0; first < tile->count; first += 8) {
    const __m256i mask = ck_mask_256((ptrdiff_t)(tile->count - first));
    const __m256 scaled = _mm256_mul_ps(_mm256_maskload_ps(scratch + first, mask), factor);
    const __m256 scores = _mm256_blendv_ps(lowest, scaled, _mm256_castsi256_ps(mask));
    largest = _mm256_max_ps(scores, largest);
    _mm256_storeu_ps(scratch + first, scores);
  }
  const float maximum = ck_max_256(largest) + 0.0f;

  ck_lanes sums = ck_zero_lanes();
  for (size_t first = 0; first < tile->count; first += 8) {
    const __m256i mask = ck_mask_256((ptrdiff_t)(tile->count - first));
    const __m256 x = _mm256_sub_ps(_mm256_loadu_ps(scratch + first), _mm256_set1_ps(maximum));
    const __m256 weights = _mm256_and_ps(ck_exp_256(x), _mm256_castsi256_ps(mask));
    if (first / 8 % 2 == 0)
      sums.low = _mm256_add_ps(sums.low, weights);
    else
      sums.high = _mm256_add_ps(sums.high, weights);
    _mm256_storeu_ps(scratch + first, weights);
  }
  return merge(state, maximum, ck_sum_lanes(sums), tile->is_first);
}

/// Elements d ..< d + 8 * `width` of the weighted sums of the values for `queries` queries from `query` on (both
/// constants after inlining); of a single 8 only the first `some`.
CK_INLINE_AVX2 void weigh(int kind, int queries, int width, const ck_attention *tile, size_t query, size_t d,
                          size_t some) {
  const float *weights = tile->scratch + CK_TILE * query;
  const merge_t *how = merges(tile) + query;
  __m256 sums[4][8];
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++)
#pragma clang loop unroll(full)
    for (int c = 0; c < width; c++) sums[j][c] = _mm256_setzero_ps();

  const char *values = tile->values;
  for (size_t position = 0; position < tile->count; position++, values += tile->value_stride) {
    __m256 value[8];
#pragma clang loop unroll(full)
    for (int c = 0; c < width; c++)
      value[c] = width == 1 ? ck_load_some_256(kind, values, d, d + some) : ck_load_256(kind, values, d + 8 * (size_t)c);
#pragma clang loop unroll(full)
    for (int j = 0; j < queries; j++) {
      const __m256 weight = _mm256_broadcast_ss(weights + CK_TILE * j + position);
#pragma clang loop unroll(full)
      for (int c = 0; c < width; c++) sums[j][c] = _mm256_fmadd_ps(weight, value[c], sums[j][c]);
    }
  }
  const __m256i mask = ck_mask_256(width == 1 ? (ptrdiff_t)some : 8);
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++) {
    const __m256 old_factor = _mm256_set1_ps(how[j].old_factor), tile_factor = _mm256_set1_ps(how[j].tile_factor);
    float *output = tile->states + (query + (size_t)j) * tile->state_stride + 2 + d;
#pragma clang loop unroll(full)
    for (int c = 0; c < width; c++) {
      __m256 sum = sums[j][c];
      if (!tile->is_first) {
        const __m256 old = _mm256_maskload_ps(output + 8 * c, mask);
        sum = _mm256_fmadd_ps(old, old_factor, _mm256_mul_ps(sum, tile_factor));
      }
      _mm256_maskstore_ps(output + 8 * c, mask, sum);
    }
  }
}

/// Everything for the queries from `from` to `to`, `queries` at a time; of the values `width` registers at a time, so that
/// all queries find them in the first cache.
CK_INLINE_AVX2 void attend_some(int kind, int queries, int width, const ck_attention *tile, size_t from, size_t to) {
  if (from == to) return;
  for (size_t query = from; query < to; query += (size_t)queries)
    for (size_t first = 0; first < tile->count; first += 4 / (size_t)queries) {
      dots(kind, queries, tile, query, first);
      const size_t part = first * (size_t)queries / 4, parts = CK_TILE * (size_t)queries / 4;
      if (query == 0) ck_fetch_part(tile->next_keys, CK_TILE * tile->key_stride, part, parts);
    }
  for (size_t query = from; query < to; query++)
    merges(tile)[query] =
        weights_of(tile, tile->scratch + CK_TILE * query, tile->states + query * tile->state_stride);
  const size_t elements = tile->value_elements, step = 8 * (size_t)width;
  size_t d = 0;
  for (; d + step <= elements; d += step) {
    if (from == 0) ck_fetch_part(tile->next_values, CK_TILE * tile->value_stride, d / step, elements / step);
    for (size_t query = from; query < to; query += (size_t)queries) weigh(kind, queries, width, tile, query, d, 0);
  }
  for (; d < elements; d += 8)
    for (size_t query = from; query < to; query += (size_t)queries)
      weigh(kind, queries, 1, tile, query, d, elements - d < 8 ? elements - d : 8);
}

CK_INLINE_AVX2 void attend(int kind, const ck_attention *tile) {
  const size_t count = tile->query_count, fours = count & ~(size_t)3;
  attend_some(kind, 4, 2, tile, 0, fours);
  attend_some(kind, 1, 8, tile, fours, count);
}

CK_AVX2 void ck_merge_attention_avx2(const float *tile, size_t value_elements, float *state) {
  const merge_t how = merge(state, tile[0], tile[1], false);
  const __m256 old_factor = _mm256_set1_ps(how.old_factor), tile_factor = _mm256_set1_ps(how.tile_factor);
  for (size_t d = 0; d < value_elements; d += 8) {
    const __m256i mask = ck_mask_256((ptrdiff_t)(value_elements - d));
    const __m256 sum = _mm256_mul_ps(_mm256_maskload_ps(tile + 2 + d, mask), tile_factor);
    const __m256 old = _mm256_maskload_ps(state + 2 + d, mask);
    _mm256_maskstore_ps(state + 2 + d, mask, _mm256_fmadd_ps(old, old_factor, sum));
  }
}

CK_AVX2 void ck_attend_f32_f32_avx2(const ck_attention *tile) { attend(CK_F32, tile); }

CK_AVX2 void ck_attend_f16_f32_avx2(const ck_attention *tile) { attend(CK_F16, tile); }

CK_AVX2 void ck_attend_q8_f32_avx2(const ck_attention *tile) { attend(CK_Q8, tile); }
#endif

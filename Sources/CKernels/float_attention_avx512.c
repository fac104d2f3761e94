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

/// Adds the products of 16 elements from `i` on to the lanes of each query with each position; of fewer when `mask` is
/// not full.
CK_INLINE_AVX512 void add_products(int kind, int queries, int positions, const float *const *q,
                                   const char *const *keys, size_t i, __mmask16 mask, __m512 *sums) {
  const bool whole = mask == 0xFFFF;
  __m512 key[16];
#pragma clang loop unroll(full)
  for (int k = 0; k < positions; k++)
    key[k] = whole ? ck_load_512(kind, keys[k], i) : ck_load_some_512(kind, keys[k], i, mask);
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++) {
    const __m512 x = whole ? _mm512_loadu_ps(q[j] + i) : _mm512_maskz_loadu_ps(mask, q[j] + i);
#pragma clang loop unroll(full)
    for (int k = 0; k < positions; k++)
      sums[j * positions + k] = _mm512_fmadd_ps(x, key[k], sums[j * positions + k]);
  }
}

/// Products of `queries` queries (1, 4 or 8) with 16 / `queries` keys from position `first` on, to scratch, where each
/// query has CK_TILE places. Positions from the tile's count on give no meaning.
CK_INLINE_AVX512 void dots(int kind, int queries, const ck_attention *tile, size_t query, size_t first) {
  const int positions = 16 / queries;
  const float *q[8];
  const char *keys[16];
  __m512 sums[16];
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++) q[j] = tile->queries + (query + (size_t)j) * tile->query_stride;
#pragma clang loop unroll(full)
  for (int k = 0; k < positions; k++) {
    const size_t position = first + (size_t)k < tile->count ? first + (size_t)k : tile->count - 1;
    keys[k] = (const char *)tile->keys + position * tile->key_stride;
  }
#pragma clang loop unroll(full)
  for (int j = 0; j < 16; j++) sums[j] = _mm512_setzero_ps();

  const size_t elements = tile->key_elements, blocks = elements / 32;
  for (size_t block = 0; block < blocks; block++) {
    add_products(kind, queries, positions, q, keys, 32 * block, 0xFFFF, sums);
    add_products(kind, queries, positions, q, keys, 32 * block + 16, 0xFFFF, sums);
  }
  for (size_t i = 32 * blocks; i < elements; i += 16)
    add_products(kind, queries, positions, q, keys, i, elements - i >= 16 ? 0xFFFF : ck_mask_512(elements - i), sums);

  float products[16], *scratch = tile->scratch + CK_TILE * query + first;
  _mm512_storeu_ps(products, sum_16(sums));
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

CK_INLINE_AVX512 float exp_1(float x) { return _mm512_cvtss_f32(ck_exp_512(_mm512_set1_ps(x))); }

/// Writes maximum and sum of the state.
CK_INLINE_AVX512 merge_t merge(float *state, float largest, float sum, bool is_first) {
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
CK_INLINE_AVX512 merge_t weights_of(const ck_attention *tile, float *scratch, float *state) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff()), factor = _mm512_set1_ps(tile->scale);
  __m512 scores[4], largest = lowest, sums = _mm512_setzero_ps();
  __mmask16 masks[4];
#pragma clang loop unroll(full)
  for (int c = 0; c < 4; c++) {
    masks[c] = (__mmask16)((tile->count >= CK_TILE ? ~0ull : (1ull << tile->count) - 1) >> (16 * c));
    scores[c] = _mm512_mask_mul_ps(lowest, masks[c], _mm512_maskz_loadu_ps(masks[c], scratch + 16 * c), factor);
    largest = _mm512_max_ps(scores[c], largest);
  }
  const float maximum = _mm512_reduce_max_ps(largest) + 0.0f;
#pragma clang loop unroll(full)
  for (int c = 0; c < 4; c++) {
    const __m512 x = _mm512_sub_ps(scores[c], _mm512_set1_ps(maximum));
    const __m512 weights = _mm512_maskz_mov_ps(masks[c], ck_exp_512(x));
    sums = _mm512_add_ps(sums, weights);
    _mm512_storeu_ps(scratch + 16 * c, weights);
  }
  return merge(state, maximum, ck_sum_512(sums), tile->is_first);
}

/// Elements d ..< d + 16 * `width` of the weighted sums of the values for `queries` queries from `query` on (both
/// constants after inlining); of a single 16 only those of the mask.
CK_INLINE_AVX512 void weigh(int kind, int queries, int width, const ck_attention *tile, size_t query, size_t d,
                            __mmask16 mask) {
  const float *weights = tile->scratch + CK_TILE * query;
  const merge_t *how = merges(tile) + query;
  __m512 sums[8][8];
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++)
#pragma clang loop unroll(full)
    for (int c = 0; c < width; c++) sums[j][c] = _mm512_setzero_ps();

  const char *values = tile->values;
  for (size_t position = 0; position < tile->count; position++, values += tile->value_stride) {
#pragma clang loop unroll(full)
    for (int c = 0; c < width; c++) {
      const __m512 value =
          width == 1 ? ck_load_some_512(kind, values, d, mask) : ck_load_512(kind, values, d + 16 * (size_t)c);
#pragma clang loop unroll(full)
      for (int j = 0; j < queries; j++)
        sums[j][c] = _mm512_fmadd_ps(_mm512_set1_ps(weights[CK_TILE * j + position]), value, sums[j][c]);
    }
  }
#pragma clang loop unroll(full)
  for (int j = 0; j < queries; j++) {
    const __m512 old_factor = _mm512_set1_ps(how[j].old_factor), tile_factor = _mm512_set1_ps(how[j].tile_factor);
    float *output = tile->states + (query + (size_t)j) * tile->state_stride + 2 + d;
#pragma clang loop unroll(full)
    for (int c = 0; c < width; c++) {
      const __mmask16 part = width == 1 ? mask : (__mmask16)0xFFFF;
      __m512 sum = sums[j][c];
      if (!tile->is_first) {
        const __m512 old = _mm512_maskz_loadu_ps(part, output + 16 * c);
        sum = _mm512_fmadd_ps(old, old_factor, _mm512_mul_ps(sum, tile_factor));
      }
      _mm512_mask_storeu_ps(output + 16 * c, part, sum);
    }
  }
}

/// Everything for the queries from `from` to `to`, `queries` at a time; of the values `width` registers at a time, so that
/// all queries find them in the first cache.
CK_INLINE_AVX512 void attend_some(int kind, int queries, int width, const ck_attention *tile, size_t from, size_t to) {
  if (from == to) return;
  for (size_t query = from; query < to; query += (size_t)queries)
    for (size_t first = 0; first < tile->count; first += 16 / (size_t)queries) {
      dots(kind, queries, tile, query, first);
      const size_t part = first * (size_t)queries / 16, parts = CK_TILE * (size_t)queries / 16;
      if (query == 0) ck_fetch_part(tile->next_keys, CK_TILE * tile->key_stride, part, parts);
    }
  for (size_t query = from; query < to; query++)
    merges(tile)[query] =
        weights_of(tile, tile->scratch + CK_TILE * query, tile->states + query * tile->state_stride);
  const size_t elements = tile->value_elements, step = 16 * (size_t)width;
  size_t d = 0;
  for (; d + step <= elements; d += step) {
    if (from == 0) ck_fetch_part(tile->next_values, CK_TILE * tile->value_stride, d / step, elements / step);
    for (size_t query = from; query < to; query += (size_t)queries) weigh(kind, queries, width, tile, query, d, 0);
  }
  for (; d < elements; d += 16) {
    const __mmask16 mask = elements - d >= 16 ? (__mmask16)0xFFFF : ck_mask_512(elements - d);
    for (size_t query = from; query < to; query += (size_t)queries) weigh(kind, queries, 1, tile, query, d, mask);
  }
}

CK_INLINE_AVX512 void attend(int kind, const ck_attention *tile) {
  // What is dear to convert is converted for eight queries; what is not leaves the fewest loads with four.
  const size_t count = tile->query_count, fours = count & ~(size_t)3;
  const size_t eights = kind == CK_Q8 ? count & ~(size_t)7 : 0;
  attend_some(kind, 8, 2, tile, 0, eights);
  attend_some(kind, 4, 4, tile, eights, fours);
  attend_some(kind, 1, 8, tile, fours, count);
}

CK_AVX512 void ck_attend_f32_f32_avx512(const ck_attention *tile) { attend(CK_F32, tile); }

CK_AVX512 void ck_attend_f16_f32_avx512(const ck_attention *tile) { attend(CK_F16, tile); }

CK_AVX512 void ck_attend_q8_f32_avx512(const ck_attention *tile) { attend(CK_Q8, tile); }
#endif

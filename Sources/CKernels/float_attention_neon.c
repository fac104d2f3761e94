/// One tile of attention, NEON.
#if defined(__aarch64__)
#include "float_neon.h"

#pragma STDC FP_CONTRACT OFF

/// Products of `queries` queries (1 or 4) with 4 / `queries` keys from position `first` on, to scratch, where each
/// query has CK_TILE places. Positions from the tile's count on give no meaning.
CK_INLINE void dots(int kind, int queries, const ck_attention *tile, size_t query, size_t first) {
  const int positions = 4 / queries;
  const float *q[4];
  const char *keys[4];
  ck_lanes sums[4];
  UNROLL for (int j = 0; j < queries; j++) q[j] = tile->queries + (query + (size_t)j) * tile->query_stride;
  UNROLL for (int j = 0; j < positions; j++) {
    const size_t position = first + (size_t)j < tile->count ? first + (size_t)j : tile->count - 1;
    keys[j] = (const char *)tile->keys + position * tile->key_stride;
  }
  UNROLL for (int j = 0; j < 4; j++) sums[j] = ck_zero_lanes();

  const size_t elements = tile->key_elements, whole = elements & ~(size_t)15;
  for (size_t i = 0; i < whole; i += 16)
    UNROLL for (int j = 0; j < 4; j++)
      sums[j] = ck_fma_lanes(ck_load_lanes(CK_F32, q[j / positions], i, whole),
                             ck_load_lanes(kind, keys[j % positions], i, whole), sums[j]);
  if (whole < elements)
    UNROLL for (int j = 0; j < 4; j++)
      sums[j] = ck_fma_lanes(ck_load_lanes(CK_F32, q[j / positions], whole, elements),
                             ck_load_lanes(kind, keys[j % positions], whole, elements), sums[j]);

  const float32x4_t result = ck_sum_4(sums);
  if (queries == 1) {
    vst1q_f32(tile->scratch + first, result);
  } else {
    float parts[4];
    vst1q_f32(parts, result);
    for (int j = 0; j < 4; j++) tile->scratch[CK_TILE * j + first] = parts[j];
  }
}

/// How a tile joins the running state of a query.
typedef struct {
  float old_factor, tile_factor;
} merge_t;

CK_INLINE float exp_1(float x) { return vgetq_lane_f32(ck_exp_4(vdupq_n_f32(x)), 0); }

/// Writes maximum and sum of the state.
CK_INLINE merge_t merge(float *state, float largest, float sum, bool is_first) {
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
CK_INLINE merge_t weights_of(const ck_attention *tile, float *scratch, float *state) {
  float32x4_t largest = vdupq_n_f32(-__builtin_inff());
  for (size_t first = 0; first < tile->count; first += 4) {
    const float32x4_t scores = vmulq_n_f32(vld1q_f32(scratch + first), tile->scale);
    largest = vmaxnmq_f32(vbslq_f32(ck_mask_4(tile->count - first), scores, largest), largest);
    vst1q_f32(scratch + first, scores);
  }
  const float maximum = vmaxnmvq_f32(largest) + 0.0f;

  ck_lanes sums = ck_zero_lanes();
  for (size_t start = 0; start < tile->count; start += 16) {
    UNROLL for (size_t j = 0; j < 4; j++) {
      const size_t first = start + 4 * j;
      if (first < tile->count) {
        const float32x4_t power = ck_exp_4(vsubq_f32(vld1q_f32(scratch + first), vdupq_n_f32(maximum)));
        const uint32x4_t some = vandq_u32(vreinterpretq_u32_f32(power), ck_mask_4(tile->count - first));
        sums.v[j] = vaddq_f32(sums.v[j], vreinterpretq_f32_u32(some));
        vst1q_f32(scratch + first, vreinterpretq_f32_u32(some));
      }
    }
  }
  return merge(state, maximum, ck_sum_lanes(sums), tile->is_first);
}

/// Elements d ..< d + 4 * `width` of the weighted sums of the values for `queries` queries (both constants after
/// inlining); of a single 4 only the first `some`.
CK_INLINE void weigh(int kind, int queries, int width, const ck_attention *tile, float *states, const merge_t *how,
                     size_t d, size_t some) {
  float32x4_t sums[4][16];
  UNROLL for (int j = 0; j < queries; j++)
    UNROLL for (int c = 0; c < width; c++) sums[j][c] = vdupq_n_f32(0);

  const char *values = (const char *)tile->values + d * ck_size(kind);
  for (size_t position = 0; position < tile->count; position++, values += tile->value_stride) {
    UNROLL for (int c = 0; c < width; c++) {
      const float32x4_t value =
          width == 1 ? ck_load_some_4(kind, values, 0, some) : ck_load_4(kind, values, 4 * (size_t)c);
      UNROLL for (int j = 0; j < queries; j++)
        sums[j][c] = vfmaq_n_f32(sums[j][c], value, tile->scratch[CK_TILE * (size_t)j + position]);
    }
  }
  const size_t end = width == 1 ? some : 4 * (size_t)width;
  UNROLL for (int j = 0; j < queries; j++) {
    float *output = states + (size_t)j * tile->state_stride + 2 + d;
    UNROLL for (int c = 0; c < width; c++) {
      float32x4_t sum = sums[j][c];
      if (!tile->is_first) {
        const float32x4_t old = ck_load_some_4(CK_F32, output, 4 * (size_t)c, end);
        sum = vfmaq_n_f32(vmulq_n_f32(sum, how[j].tile_factor), old, how[j].old_factor);
      }
      ck_store_some_4(output, 4 * (size_t)c, end, sum);
    }
  }
}

/// The tile for `queries` queries (1 or 4) from `query` on.
CK_INLINE void attend_some(int kind, int queries, const ck_attention *tile, size_t query) {
  float *states = tile->states + query * tile->state_stride;
  merge_t how[4];
  for (size_t first = 0; first < tile->count; first += 4 / (size_t)queries) dots(kind, queries, tile, query, first);
  for (int j = 0; j < queries; j++)
    how[j] = weights_of(tile, tile->scratch + CK_TILE * j, states + (size_t)j * tile->state_stride);

  const size_t elements = tile->value_elements;
  size_t d = 0;
  if (queries == 1)
    for (; d + 64 <= elements; d += 64) weigh(kind, queries, 16, tile, states, how, d, 0);
  for (; d + 16 <= elements; d += 16) weigh(kind, queries, 4, tile, states, how, d, 0);
  for (; d < elements; d += 4) weigh(kind, queries, 1, tile, states, how, d, elements - d < 4 ? elements - d : 4);
}

CK_INLINE void attend(int kind, const ck_attention *tile) {
  size_t query = 0;
  for (; query + 4 <= tile->query_count; query += 4) attend_some(kind, 4, tile, query);
  for (; query < tile->query_count; query++) attend_some(kind, 1, tile, query);
}

void ck_attend_f32_f32_neon(const ck_attention *tile) { attend(CK_F32, tile); }

void ck_attend_f16_f32_neon(const ck_attention *tile) { attend(CK_F16, tile); }
#endif

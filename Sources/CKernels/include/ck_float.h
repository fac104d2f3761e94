/// The float kernels. What each computes, to the bit, stands in docs/numerics.md; the Swift references are in
/// `Kernels/Scalar`. Elements are float32 unless said otherwise, sizes and strides of float pointers count elements,
/// those of void pointers bytes. No pointer needs alignment beyond its type; void pointers need none.
#ifndef CK_FLOAT_H
#define CK_FLOAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// `output[a * output_stride + r]` = weight row r times activation row a, as in ck_quant.h.
#define CK_DECLARE_MULTIPLY(name)                                                                                    \
  void name(const void *weights, size_t weight_row_bytes, size_t weight_rows, const void *activations,               \
            size_t activation_stride, size_t activation_rows, size_t elements, float *output, size_t output_stride)

/// One tile of attention, for some query heads that share keys and values.
typedef struct {
  /// `query_count` rows of `key_elements`, `query_stride` elements apart.
  const float *queries;
  size_t query_stride;
  size_t query_count;
  /// `count` positions, 1 to 64, of `key_elements`, `key_stride` bytes apart; values likewise.
  const void *keys;
  size_t key_stride;
  const void *values;
  size_t value_stride;
  size_t count;
  /// Where the keys and values of the next tile are, CK_TILE positions each, to be fetched meanwhile; null for none.
  const void *_Nullable next_keys;
  const void *_Nullable next_values;
  size_t key_elements;
  size_t value_elements;
  float scale;
  /// Room for 66 values for each query.
  float *scratch;
  /// For each query maximum, sum and the weighted values, `state_stride` elements apart.
  float *states;
  size_t state_stride;
  /// The states hold nothing yet.
  bool is_first;
} ck_attention;

#if defined(__x86_64__)

CK_DECLARE_MULTIPLY(ck_multiply_f32_f32_avx2);
CK_DECLARE_MULTIPLY(ck_multiply_f16_f32_avx2);
CK_DECLARE_MULTIPLY(ck_multiply_bf16_f32_avx2);
void ck_attend_f32_f32_avx2(const ck_attention *tile);
void ck_attend_f16_f32_avx2(const ck_attention *tile);
void ck_attend_q8_f32_avx2(const ck_attention *tile);
void ck_merge_attention_avx2(const float *tile, size_t value_elements, float *state);
float ck_dot_f32_f32_avx2(const float *left, const float *right, size_t count);
bool ck_store_f32_avx2(const float *input, size_t count, void *output);
bool ck_store_f16_avx2(const float *input, size_t count, void *output);
bool ck_store_q8_avx2(const float *input, size_t count, void *output);
void ck_rms_norm_avx2(const float *input, const float *weight, float epsilon, size_t count, float *output);
void ck_softmax_avx2(float *values, size_t count);
void ck_swiglu_avx2(const float *gate, const float *up, size_t count, float *output);
void ck_add_avx2(const float *source, float *destination, size_t count);
void ck_rotate_half_split_avx2(float *head, const float *cosines, const float *sines, size_t pairs);
void ck_rotate_interleaved_avx2(float *head, const float *cosines, const float *sines, size_t pairs);
bool ck_accumulate_avx2(const float *values, float weight, double scale, size_t count, int64_t *sums);
void ck_add_accumulated_avx2(const int64_t *sums, double scale, size_t count, float *residual);

CK_DECLARE_MULTIPLY(ck_multiply_f32_f32_avx512);
CK_DECLARE_MULTIPLY(ck_multiply_f16_f32_avx512);
CK_DECLARE_MULTIPLY(ck_multiply_bf16_f32_avx512);
void ck_attend_f32_f32_avx512(const ck_attention *tile);
void ck_attend_f16_f32_avx512(const ck_attention *tile);
void ck_attend_q8_f32_avx512(const ck_attention *tile);
float ck_dot_f32_f32_avx512(const float *left, const float *right, size_t count);
bool ck_store_f16_avx512(const float *input, size_t count, void *output);
void ck_rms_norm_avx512(const float *input, const float *weight, float epsilon, size_t count, float *output);
void ck_softmax_avx512(float *values, size_t count);
void ck_swiglu_avx512(const float *gate, const float *up, size_t count, float *output);
bool ck_accumulate_avx512(const float *values, float weight, double scale, size_t count, int64_t *sums);
void ck_add_accumulated_avx512(const int64_t *sums, double scale, size_t count, float *residual);

#elif defined(__aarch64__)

CK_DECLARE_MULTIPLY(ck_multiply_f32_f32_neon);
CK_DECLARE_MULTIPLY(ck_multiply_f16_f32_neon);
CK_DECLARE_MULTIPLY(ck_multiply_bf16_f32_neon);
void ck_attend_f32_f32_neon(const ck_attention *tile);
void ck_attend_f16_f32_neon(const ck_attention *tile);
float ck_dot_f32_f32_neon(const float *left, const float *right, size_t count);
bool ck_store_f32_neon(const float *input, size_t count, void *output);
bool ck_store_f16_neon(const float *input, size_t count, void *output);
void ck_rms_norm_neon(const float *input, const float *weight, float epsilon, size_t count, float *output);
void ck_softmax_neon(float *values, size_t count);
void ck_swiglu_neon(const float *gate, const float *up, size_t count, float *output);
void ck_add_neon(const float *source, float *destination, size_t count);
void ck_rotate_half_split_neon(float *head, const float *cosines, const float *sines, size_t pairs);
void ck_rotate_interleaved_neon(float *head, const float *cosines, const float *sines, size_t pairs);
bool ck_accumulate_neon(const float *values, float weight, double scale, size_t count, int64_t *sums);
void ck_add_accumulated_neon(const int64_t *sums, double scale, size_t count, float *residual);

#endif

#pragma clang assume_nonnull end

#endif

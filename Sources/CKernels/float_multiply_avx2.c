/// Products of float weights with float32 activations, AVX2.
#if defined(__x86_64__)
#include "float_avx2.h"

#pragma STDC FP_CONTRACT OFF

enum { MOST_ROWS = 4, MOST_ACTIVATIONS = 2 };

/// 16 elements of `rows` x `count` products.
CK_INLINE_AVX2 void step(int kind, int rows, int count, const char *weights, size_t row_bytes, size_t columns,
                         const char *activations, size_t stride, size_t i,
                         ck_lanes sums[MOST_ROWS][MOST_ACTIVATIONS]) {
  ck_lanes x[MOST_ACTIVATIONS];
#pragma clang loop unroll(full)
  for (int a = 0; a < count; a++) x[a] = ck_load_lanes(CK_F32, activations + (size_t)a * stride, i, columns);
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const ck_lanes w = ck_load_lanes(kind, weights + (size_t)r * row_bytes, i, columns);
#pragma clang loop unroll(full)
    for (int a = 0; a < count; a++) sums[r][a] = ck_fma_lanes(w, x[a], sums[r][a]);
  }
}

/// `rows` x `count` products at once, compile-time constants after inlining.
CK_INLINE_AVX2 void tile(int kind, int rows, int count, const char *weights, size_t row_bytes, size_t columns,
                         const char *activations, size_t stride, float *output, size_t output_stride) {
  ck_lanes sums[MOST_ROWS][MOST_ACTIVATIONS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int a = 0; a < count; a++) sums[r][a] = ck_zero_lanes();

  const size_t whole = columns & ~(size_t)15;
  for (size_t i = 0; i < whole; i += 16)
    step(kind, rows, count, weights, row_bytes, whole, activations, stride, i, sums);
  if (whole < columns) step(kind, rows, count, weights, row_bytes, columns, activations, stride, whole, sums);

#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int a = 0; a < count; a++) output[(size_t)a * output_stride + (size_t)r] = ck_sum_lanes(sums[r][a]);
}

/// Two rows of weights with all activation rows, two at a time. A single activation row takes four rows at once, but of
/// float32 one after the other, which memory gives faster (one core of Zen 4: 31 instead of 24 GB/s).
CK_INLINE_AVX2 void multiply(int kind, const char *weights, size_t row_bytes, size_t columns,
                             size_t row_count, const char *activations, size_t stride, size_t count,
                             float *output, size_t output_stride) {
  size_t r = 0;
  const int at_once = kind == CK_F32 ? 1 : 4;
  if (count == 1)
    for (; r + (size_t)at_once <= row_count; r += (size_t)at_once)
      tile(kind, at_once, 1, weights + r * row_bytes, row_bytes, columns, activations, stride, output + r,
           output_stride);
  for (; r + 2 <= row_count; r += 2) {
    const char *rows = weights + r * row_bytes;
    size_t a = 0;
    for (; a + 2 <= count; a += 2)
      tile(kind, 2, 2, rows, row_bytes, columns, activations + a * stride, stride, output + a * output_stride + r,
           output_stride);
    if (a < count)
      tile(kind, 2, 1, rows, row_bytes, columns, activations + a * stride, stride, output + a * output_stride + r,
           output_stride);
  }
  if (r < row_count)
    for (size_t a = 0; a < count; a++)
      tile(kind, 1, 1, weights + r * row_bytes, row_bytes, columns, activations + a * stride, stride,
           output + a * output_stride + r, output_stride);
}

CK_AVX2 CK_DECLARE_MULTIPLY(ck_multiply_f32_f32_avx2) {
  multiply(CK_F32, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_AVX2 CK_DECLARE_MULTIPLY(ck_multiply_f16_f32_avx2) {
  multiply(CK_F16, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_AVX2 CK_DECLARE_MULTIPLY(ck_multiply_bf16_f32_avx2) {
  multiply(CK_BF16, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_AVX2 float ck_dot_f32_f32_avx2(const float *left, const float *right, size_t count) {
  ck_lanes sum = ck_zero_lanes();
  for (size_t i = 0; i < count; i += 16)
    sum = ck_fma_lanes(ck_load_lanes(CK_F32, left, i, count), ck_load_lanes(CK_F32, right, i, count), sum);
  return ck_sum_lanes(sum);
}
#endif

/// Products of float weights with float32 activations, NEON.
#if defined(__aarch64__)
#include "float_neon.h"

#pragma STDC FP_CONTRACT OFF

enum { MOST_ROWS = 4, MOST_ACTIVATIONS = 2 };

/// 16 elements of `rows` x `count` products.
CK_INLINE void step(int kind, int rows, int count, const char *weights, size_t row_bytes, size_t columns,
                         const char *activations, size_t stride, size_t i,
                         ck_lanes sums[MOST_ROWS][MOST_ACTIVATIONS]) {
  ck_lanes x[MOST_ACTIVATIONS];
UNROLL for (int a = 0; a < count; a++) x[a] = ck_load_lanes(CK_F32, activations + (size_t)a * stride, i, columns);
UNROLL for (int r = 0; r < rows; r++) {
    const ck_lanes w = ck_load_lanes(kind, weights + (size_t)r * row_bytes, i, columns);
UNROLL for (int a = 0; a < count; a++) sums[r][a] = ck_fma_lanes(w, x[a], sums[r][a]);
  }
}

/// `rows` x `count` products at once, compile-time constants after inlining.
CK_INLINE void tile(int kind, int rows, int count, const char *weights, size_t row_bytes, size_t columns,
                         const char *activations, size_t stride, float *output, size_t output_stride) {
  ck_lanes sums[MOST_ROWS][MOST_ACTIVATIONS];
UNROLL for (int r = 0; r < rows; r++)
UNROLL for (int a = 0; a < count; a++) sums[r][a] = ck_zero_lanes();

  const size_t whole = columns & ~(size_t)15;
  for (size_t i = 0; i < whole; i += 16)
    step(kind, rows, count, weights, row_bytes, whole, activations, stride, i, sums);
  if (whole < columns) step(kind, rows, count, weights, row_bytes, columns, activations, stride, whole, sums);

UNROLL for (int r = 0; r < rows; r++)
UNROLL for (int a = 0; a < count; a++) output[(size_t)a * output_stride + (size_t)r] = ck_sum_lanes(sums[r][a]);
}

/// Two rows of weights with all activation rows, two at a time; a single activation row takes four rows at once.
CK_INLINE void multiply(int kind, const char *weights, size_t row_bytes, size_t columns,
                             size_t row_count, const char *activations, size_t stride, size_t count,
                             float *output, size_t output_stride) {
  size_t r = 0;
  if (count == 1)
    for (; r + 4 <= row_count; r += 4)
      tile(kind, 4, 1, weights + r * row_bytes, row_bytes, columns, activations, stride, output + r, output_stride);
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

CK_DECLARE_MULTIPLY(ck_multiply_f32_f32_neon) {
  multiply(CK_F32, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_DECLARE_MULTIPLY(ck_multiply_f16_f32_neon) {
  multiply(CK_F16, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_DECLARE_MULTIPLY(ck_multiply_bf16_f32_neon) {
  multiply(CK_BF16, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}
#endif

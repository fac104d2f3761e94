/// Products of float weights with float32 activations, AVX-512.
#if defined(__x86_64__)
#include "float_avx512.h"

#pragma STDC FP_CONTRACT OFF

enum { ROWS = 4, ACTIVATIONS = 4 };

/// `rows` x `count` products at once, at most ROWS x ACTIVATIONS, all compile-time constants after inlining.
CK_INLINE_AVX512 void tile(int kind, int rows, int count, const char *weights, size_t row_bytes, size_t columns,
                           const char *activations, size_t stride, float *output, size_t output_stride) {
  __m512 sums[ROWS][ACTIVATIONS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int a = 0; a < count; a++) sums[r][a] = _mm512_setzero_ps();

  size_t i = 0;
  for (; i + 16 <= columns; i += 16) {
    __m512 x[ACTIVATIONS];
#pragma clang loop unroll(full)
    for (int a = 0; a < count; a++) x[a] = ck_load_512(CK_F32, activations + (size_t)a * stride, i);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m512 w = ck_load_512(kind, weights + (size_t)r * row_bytes, i);
#pragma clang loop unroll(full)
      for (int a = 0; a < count; a++) sums[r][a] = _mm512_fmadd_ps(w, x[a], sums[r][a]);
    }
  }
  if (i < columns) {
    const __mmask16 mask = ck_mask_512(columns - i);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m512 w = ck_load_some_512(kind, weights + (size_t)r * row_bytes, i, mask);
#pragma clang loop unroll(full)
      for (int a = 0; a < count; a++) {
        const __m512 x = ck_load_some_512(CK_F32, activations + (size_t)a * stride, i, mask);
        sums[r][a] = _mm512_fmadd_ps(w, x, sums[r][a]);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
    for (int a = 0; a < count; a++) output[(size_t)a * output_stride + (size_t)r] = ck_sum_512(sums[r][a]);
}

/// All activation rows with `rows` rows of weights.
CK_INLINE_AVX512 void strip(int kind, int rows, const char *weights, size_t row_bytes, size_t columns,
                            const char *activations, size_t stride, size_t count, float *output,
                            size_t output_stride) {
  size_t a = 0;
  for (; a + ACTIVATIONS <= count; a += ACTIVATIONS)
    tile(kind, rows, ACTIVATIONS, weights, row_bytes, columns, activations + a * stride, stride,
         output + a * output_stride, output_stride);
  for (; a < count; a++)
    tile(kind, rows, 1, weights, row_bytes, columns, activations + a * stride, stride, output + a * output_stride,
         output_stride);
}

/// A single activation row takes rows of float32 one after the other: memory gives them faster than four at once (one
/// core of Zen 4: 29 instead of 22 GB/s).
CK_INLINE_AVX512 void multiply(int kind, const char *weights, size_t row_bytes, size_t columns,
                               size_t row_count, const char *activations, size_t stride, size_t count,
                               float *output, size_t output_stride) {
  size_t r = 0;
  if (kind == CK_F32 && count == 1)
    for (; r < row_count; r++)
      tile(kind, 1, 1, weights + r * row_bytes, row_bytes, columns, activations, stride, output + r, output_stride);
  for (; r + ROWS <= row_count; r += ROWS)
    strip(kind, ROWS, weights + r * row_bytes, row_bytes, columns, activations, stride, count, output + r,
          output_stride);
  for (; r < row_count; r++)
    strip(kind, 1, weights + r * row_bytes, row_bytes, columns, activations, stride, count, output + r,
          output_stride);
}

CK_AVX512 CK_DECLARE_MULTIPLY(ck_multiply_f32_f32_avx512) {
  multiply(CK_F32, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_AVX512 CK_DECLARE_MULTIPLY(ck_multiply_f16_f32_avx512) {
  multiply(CK_F16, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_AVX512 CK_DECLARE_MULTIPLY(ck_multiply_bf16_f32_avx512) {
  multiply(CK_BF16, weights, weight_row_bytes, elements, weight_rows, activations, activation_stride, activation_rows,
           output, output_stride);
}

CK_AVX512 float ck_dot_f32_f32_avx512(const float *left, const float *right, size_t count) {
  __m512 sum = _mm512_setzero_ps();
  size_t i = 0;
  for (; i + 16 <= count; i += 16) sum = _mm512_fmadd_ps(_mm512_loadu_ps(left + i), _mm512_loadu_ps(right + i), sum);
  if (i < count) {
    const __mmask16 mask = ck_mask_512(count - i);
    sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, left + i), _mm512_maskz_loadu_ps(mask, right + i), sum);
  }
  return ck_sum_512(sum);
}
#endif

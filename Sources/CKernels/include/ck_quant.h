/// Quantized products and the quantization of activations, for x86-64 with AVX2, with AVX2 and the 256-bit
/// VNNI of either kind, and with AVX-512 VNNI,
/// and for arm64 with NEON alone, with dot products of bytes, and with products of matrices of bytes.
///
/// The bits are defined by the scalar reference in Sources/Kernels/Quantized and by docs/numerics.md; every function
/// here equals it exactly. Nothing here allocates, checks sizes or looks at the CPU: the Swift face does.
#ifndef CK_QUANT_H
#define CK_QUANT_H

#include <stdbool.h>
#include <stddef.h>

#pragma clang assume_nonnull begin

/// output[a * output_stride + r] = weight row r times activation row a, for r < weight_rows and a < activation_rows.
///
/// Weights are GGUF blocks at any alignment, rows `weight_row_bytes` apart. Activation rows have the layout of
/// `ActivationForm` (elements int8, one float32 scale a block, one int16 sum for each 16 elements), `activation_stride`
/// bytes apart, and hold no -128. `elements` is a multiple of the activations' block. `output_stride` counts floats.
typedef void (*ck_multiply)(const void *weights, size_t weight_row_bytes, size_t weight_rows, const void *activations,
                            size_t activation_stride, size_t activation_rows, size_t elements, float *output,
                            size_t output_stride);

/// Turns `elements` floats into a row of int8 activations; false if one of them is not finite (the row is then
/// unspecified).
typedef bool (*ck_quantize)(const float *input, size_t elements, void *row);

/// Computes the sums of a row whose int8 and scales came from elsewhere; false if they are not what quantization
/// makes: a scale that is not finite or has its sign set, or an element of -128.
typedef bool (*ck_complete)(size_t elements, void *row);

#define CK_MULTIPLY(name)                                                                                            \
  void name(const void *weights, size_t weight_row_bytes, size_t weight_rows, const void *activations,               \
            size_t activation_stride, size_t activation_rows, size_t elements, float *output, size_t output_stride)

/// Lays 16 rows of quant blocks, which follow one another, side by side as a panel of as many bytes: what the products
/// named `panels` read in place of rows. Their `weight_rows` is a multiple of 16, and the output has room for all.
void ck_interleave(const void *rows, size_t row_bytes, size_t block_bytes, void *panel);
/// Undoes `ck_interleave`.
void ck_separate(const void *panel, size_t row_bytes, size_t block_bytes, void *rows);
/// Copies one row, 0 to 15, out of a panel.
void ck_separate_row(const void *panel, size_t row_bytes, size_t block_bytes, size_t row, void *target);

#if defined(__x86_64__)

CK_MULTIPLY(ck_multiply_q4_0_panels_avx2);
CK_MULTIPLY(ck_multiply_q4_1_panels_avx2);
CK_MULTIPLY(ck_multiply_q5_0_panels_avx2);
CK_MULTIPLY(ck_multiply_q5_1_panels_avx2);
CK_MULTIPLY(ck_multiply_q8_0_panels_avx2);
CK_MULTIPLY(ck_multiply_iq4_nl_panels_avx2);
CK_MULTIPLY(ck_multiply_mxfp4_panels_avx2);
CK_MULTIPLY(ck_multiply_q2k_panels_avx2);
CK_MULTIPLY(ck_multiply_q3k_panels_avx2);
CK_MULTIPLY(ck_multiply_q4k_panels_avx2);
CK_MULTIPLY(ck_multiply_q5k_panels_avx2);
CK_MULTIPLY(ck_multiply_q6k_panels_avx2);
CK_MULTIPLY(ck_multiply_iq4_xs_panels_avx2);

CK_MULTIPLY(ck_multiply_q4_0_panels_avx512);
CK_MULTIPLY(ck_multiply_q4_1_panels_avx512);
CK_MULTIPLY(ck_multiply_q5_0_panels_avx512);
CK_MULTIPLY(ck_multiply_q5_1_panels_avx512);
CK_MULTIPLY(ck_multiply_q8_0_panels_avx512);
CK_MULTIPLY(ck_multiply_iq4_nl_panels_avx512);
CK_MULTIPLY(ck_multiply_mxfp4_panels_avx512);
CK_MULTIPLY(ck_multiply_q2k_panels_avx512);
CK_MULTIPLY(ck_multiply_q3k_panels_avx512);
CK_MULTIPLY(ck_multiply_q4k_panels_avx512);
CK_MULTIPLY(ck_multiply_q5k_panels_avx512);
CK_MULTIPLY(ck_multiply_q6k_panels_avx512);
CK_MULTIPLY(ck_multiply_iq4_xs_panels_avx512);

CK_MULTIPLY(ck_multiply_q4_0_avx2);
CK_MULTIPLY(ck_multiply_q4_1_avx2);
CK_MULTIPLY(ck_multiply_q5_0_avx2);
CK_MULTIPLY(ck_multiply_q5_1_avx2);
CK_MULTIPLY(ck_multiply_q8_0_avx2);
CK_MULTIPLY(ck_multiply_iq4_nl_avx2);
CK_MULTIPLY(ck_multiply_mxfp4_avx2);
CK_MULTIPLY(ck_multiply_q2k_avx2);
CK_MULTIPLY(ck_multiply_q3k_avx2);
CK_MULTIPLY(ck_multiply_q4k_avx2);
CK_MULTIPLY(ck_multiply_q5k_avx2);
CK_MULTIPLY(ck_multiply_q6k_avx2);
CK_MULTIPLY(ck_multiply_iq4_xs_avx2);

CK_MULTIPLY(ck_multiply_q4_0_avxvnni);
CK_MULTIPLY(ck_multiply_q4_1_avxvnni);
CK_MULTIPLY(ck_multiply_q5_0_avxvnni);
CK_MULTIPLY(ck_multiply_q5_1_avxvnni);
CK_MULTIPLY(ck_multiply_q8_0_avxvnni);
CK_MULTIPLY(ck_multiply_iq4_nl_avxvnni);
CK_MULTIPLY(ck_multiply_mxfp4_avxvnni);
CK_MULTIPLY(ck_multiply_q2k_avxvnni);
CK_MULTIPLY(ck_multiply_q3k_avxvnni);
CK_MULTIPLY(ck_multiply_q4k_avxvnni);
CK_MULTIPLY(ck_multiply_q5k_avxvnni);
CK_MULTIPLY(ck_multiply_q6k_avxvnni);
CK_MULTIPLY(ck_multiply_iq4_xs_avxvnni);

CK_MULTIPLY(ck_multiply_q4_0_vnni256);
CK_MULTIPLY(ck_multiply_q4_1_vnni256);
CK_MULTIPLY(ck_multiply_q5_0_vnni256);
CK_MULTIPLY(ck_multiply_q5_1_vnni256);
CK_MULTIPLY(ck_multiply_q8_0_vnni256);
CK_MULTIPLY(ck_multiply_iq4_nl_vnni256);
CK_MULTIPLY(ck_multiply_mxfp4_vnni256);
CK_MULTIPLY(ck_multiply_q2k_vnni256);
CK_MULTIPLY(ck_multiply_q3k_vnni256);
CK_MULTIPLY(ck_multiply_q4k_vnni256);
CK_MULTIPLY(ck_multiply_q5k_vnni256);
CK_MULTIPLY(ck_multiply_q6k_vnni256);
CK_MULTIPLY(ck_multiply_iq4_xs_vnni256);

CK_MULTIPLY(ck_multiply_q4_0_avx512);
CK_MULTIPLY(ck_multiply_q4_1_avx512);
CK_MULTIPLY(ck_multiply_q5_0_avx512);
CK_MULTIPLY(ck_multiply_q5_1_avx512);
CK_MULTIPLY(ck_multiply_q8_0_avx512);
CK_MULTIPLY(ck_multiply_iq4_nl_avx512);
CK_MULTIPLY(ck_multiply_mxfp4_avx512);
CK_MULTIPLY(ck_multiply_q2k_avx512);
CK_MULTIPLY(ck_multiply_q3k_avx512);
CK_MULTIPLY(ck_multiply_q4k_avx512);
CK_MULTIPLY(ck_multiply_q5k_avx512);
CK_MULTIPLY(ck_multiply_q6k_avx512);
CK_MULTIPLY(ck_multiply_iq4_xs_avx512);

bool ck_quantize_int8x32_avx2(const float *input, size_t elements, void *row);
bool ck_quantize_int8x256_avx2(const float *input, size_t elements, void *row);
bool ck_quantize_int8x32_avx512(const float *input, size_t elements, void *row);
bool ck_quantize_int8x256_avx512(const float *input, size_t elements, void *row);

bool ck_complete_int8x32_avx2(size_t elements, void *row);
bool ck_complete_int8x256_avx2(size_t elements, void *row);

#elif defined(__aarch64__)

CK_MULTIPLY(ck_multiply_q4_0_neon);
CK_MULTIPLY(ck_multiply_q4_1_neon);
CK_MULTIPLY(ck_multiply_q5_0_neon);
CK_MULTIPLY(ck_multiply_q5_1_neon);
CK_MULTIPLY(ck_multiply_q8_0_neon);
CK_MULTIPLY(ck_multiply_iq4_nl_neon);
CK_MULTIPLY(ck_multiply_mxfp4_neon);
CK_MULTIPLY(ck_multiply_q2k_neon);
CK_MULTIPLY(ck_multiply_q3k_neon);
CK_MULTIPLY(ck_multiply_q4k_neon);
CK_MULTIPLY(ck_multiply_q5k_neon);
CK_MULTIPLY(ck_multiply_q6k_neon);
CK_MULTIPLY(ck_multiply_iq4_xs_neon);

CK_MULTIPLY(ck_multiply_q4_0_neon_dotprod);
CK_MULTIPLY(ck_multiply_q4_1_neon_dotprod);
CK_MULTIPLY(ck_multiply_q5_0_neon_dotprod);
CK_MULTIPLY(ck_multiply_q5_1_neon_dotprod);
CK_MULTIPLY(ck_multiply_q8_0_neon_dotprod);
CK_MULTIPLY(ck_multiply_iq4_nl_neon_dotprod);
CK_MULTIPLY(ck_multiply_mxfp4_neon_dotprod);
CK_MULTIPLY(ck_multiply_q2k_neon_dotprod);
CK_MULTIPLY(ck_multiply_q3k_neon_dotprod);
CK_MULTIPLY(ck_multiply_q4k_neon_dotprod);
CK_MULTIPLY(ck_multiply_q5k_neon_dotprod);
CK_MULTIPLY(ck_multiply_q6k_neon_dotprod);
CK_MULTIPLY(ck_multiply_iq4_xs_neon_dotprod);

CK_MULTIPLY(ck_multiply_q4_0_neon_i8mm);
CK_MULTIPLY(ck_multiply_q4_1_neon_i8mm);
CK_MULTIPLY(ck_multiply_q5_0_neon_i8mm);
CK_MULTIPLY(ck_multiply_q5_1_neon_i8mm);
CK_MULTIPLY(ck_multiply_q8_0_neon_i8mm);
CK_MULTIPLY(ck_multiply_iq4_nl_neon_i8mm);
CK_MULTIPLY(ck_multiply_mxfp4_neon_i8mm);
CK_MULTIPLY(ck_multiply_q2k_neon_i8mm);
CK_MULTIPLY(ck_multiply_q3k_neon_i8mm);
CK_MULTIPLY(ck_multiply_q4k_neon_i8mm);
CK_MULTIPLY(ck_multiply_q5k_neon_i8mm);
CK_MULTIPLY(ck_multiply_q6k_neon_i8mm);
CK_MULTIPLY(ck_multiply_iq4_xs_neon_i8mm);

bool ck_quantize_int8x32_neon(const float *input, size_t elements, void *row);
bool ck_quantize_int8x256_neon(const float *input, size_t elements, void *row);
bool ck_complete_int8x32_neon(size_t elements, void *row);
bool ck_complete_int8x256_neon(size_t elements, void *row);

#endif

#pragma clang assume_nonnull end
#endif

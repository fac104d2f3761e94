// Quantized products for NEON with products of matrices of bytes (Armv8.6 I8MM).
#pragma STDC FP_CONTRACT OFF
#if defined(__aarch64__)
#include <arm_neon.h>

#define CK_LEVEL neon_i8mm
#define CK_DOTPROD 1
#define CK_I8MM 1
#pragma clang attribute push(__attribute__((target("+dotprod+i8mm"))), apply_to = function)
#include "quant_k_neon.h"
#pragma clang attribute pop
#endif

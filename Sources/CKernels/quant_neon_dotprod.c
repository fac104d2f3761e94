// Quantized products for NEON with dot products of bytes (Armv8.2 DotProd).
#pragma STDC FP_CONTRACT OFF
#if defined(__aarch64__)
#include <arm_neon.h>

#define CK_LEVEL neon_dotprod
#define CK_DOTPROD 1
#define CK_I8MM 0
#pragma clang attribute push(__attribute__((target("+dotprod"))), apply_to = function)
#include "quant_k_neon.h"
#pragma clang attribute pop
#endif

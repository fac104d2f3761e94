// Quantized products for NEON as every arm64 CPU has it, without dot products of bytes.
#pragma STDC FP_CONTRACT OFF
#if defined(__aarch64__)
#include <arm_neon.h>

#define CK_LEVEL neon
#define CK_DOTPROD 0
#define CK_I8MM 0
#include "quant_k_neon.h"
#endif

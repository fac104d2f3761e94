// The types with blocks of 32 for AVX2 with AVX-VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>

#define CK_LEVEL avxvnni
#define CK_VNNI 1
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#include "quant_32_types_avx2.h"
#pragma clang attribute pop
#endif

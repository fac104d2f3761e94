// The types with blocks of 256 for AVX2 with the VNNI of AVX-512, in vectors of 256 bits.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>

#define CK_LEVEL vnni256
#define CK_VNNI 2
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512vnni,avx512vl"))), apply_to = function)
#include "quant_k_types_avx2.h"
#pragma clang attribute pop
#endif

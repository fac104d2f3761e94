/// SIMD kernels. docs/numerics.md defines what each of them computes, to the bit; the Swift references in `Kernels`
/// are the definition in code.
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ck_cpu.h"
#include "ck_float.h"
#include "ck_quant.h"
#include "ck_read.h"

#endif

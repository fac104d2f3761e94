/// What the quantization of activations shares between instruction sets.
#ifndef QUANT_ACTIVATIONS_H
#define QUANT_ACTIVATIONS_H

#pragma STDC FP_CONTRACT OFF

#include "quant_blocks.h"

#define INLINE static inline __attribute__((always_inline))
#define INFINITY_BITS 0x7f800000u
#define TINY_BITS 0x0d800000u // 2^-100

/// Scale and inverse of a block from the bits of its largest magnitude.
INLINE float block_inverse(uint32_t largest, float *scale) {
  float magnitude;
  memcpy(&magnitude, &largest, sizeof magnitude);
  if (largest < TINY_BITS) {
    *scale = 0;
    return 0;
  }
  *scale = magnitude / 127.0f;
  return 127.0f / magnitude;
}

#endif

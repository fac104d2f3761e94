/// Layouts of quant blocks as ggml defines them, and of activation rows. All fields are bytes, as blocks have any
/// alignment.
#ifndef QUANT_BLOCKS_H
#define QUANT_BLOCKS_H

#include "ck_quant.h"
#include <stdint.h>
#include <string.h>

typedef struct {
  uint8_t scale[2];
  int8_t codes[32];
} block_q8_0;

typedef struct {
  uint8_t scale[2];
  uint8_t nibbles[16];
} block_q4_0;

typedef struct {
  uint8_t scale[2], minimum[2];
  uint8_t sub_scales[12];
  uint8_t nibbles[128];
} block_q4k;

typedef struct {
  uint8_t scale[2], minimum[2];
  uint8_t sub_scales[12];
  uint8_t fifth_bits[32];
  uint8_t nibbles[128];
} block_q5k;

typedef struct {
  uint8_t nibbles[128];
  uint8_t upper_bits[64];
  int8_t sub_scales[16];
  uint8_t scale[2];
} block_q6k;

_Static_assert(sizeof(block_q8_0) == 34 && sizeof(block_q4_0) == 18, "blocks of 32 have no padding");
_Static_assert(sizeof(block_q4k) == 144 && sizeof(block_q5k) == 176 && sizeof(block_q6k) == 210,
               "blocks of 256 have no padding");

/// The parts of an activation row (`ActivationForm`).
typedef struct {
  int8_t *elements;
  float *scales;
  int16_t *sums;
} activation_row;

static inline activation_row activation_row_at(const void *base, size_t elements, size_t block) {
  char *start = (char *)base;
  return (activation_row){.elements = (int8_t *)start,
                          .scales = (float *)(void *)(start + elements),
                          .sums = (int16_t *)(void *)(start + elements + elements / block * sizeof(float))};
}

static inline uint16_t load_u16(const void *bytes) {
  uint16_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static inline uint32_t load_u32(const void *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

static inline int32_t load_i32(const void *bytes) {
  int32_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

/// Sub-scales and sub-minimums of Q4_K and Q5_K as bytes, number 0 lowest.
typedef struct {
  uint64_t scales, minimums;
} sub_scales_k;

static inline sub_scales_k unpack_sub_scales_k(const uint8_t bytes[12]) {
  const uint32_t scale = load_u32(bytes), minimum = load_u32(bytes + 4), rest = load_u32(bytes + 8);
  const uint32_t upper_scales = (rest & 0x0f0f0f0fu) | ((scale >> 2) & 0x30303030u);
  const uint32_t upper_minimums = ((rest >> 4) & 0x0f0f0f0fu) | ((minimum >> 2) & 0x30303030u);
  return (sub_scales_k){.scales = (scale & 0x3f3f3f3fu) | (uint64_t)upper_scales << 32,
                        .minimums = (minimum & 0x3f3f3f3fu) | (uint64_t)upper_minimums << 32};
}

#endif

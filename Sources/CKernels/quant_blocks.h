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

/// Q4_0 and IQ4_NL.
typedef struct {
  uint8_t scale[2];
  uint8_t nibbles[16];
} block_q4_0;

typedef struct {
  uint8_t scale[2], minimum[2];
  uint8_t nibbles[16];
} block_q4_1;

typedef struct {
  uint8_t scale[2];
  uint8_t fifth_bits[4];
  uint8_t nibbles[16];
} block_q5_0;

typedef struct {
  uint8_t scale[2], minimum[2];
  uint8_t fifth_bits[4];
  uint8_t nibbles[16];
} block_q5_1;

typedef struct {
  uint8_t exponent;
  uint8_t nibbles[16];
} block_mxfp4;

typedef struct {
  uint8_t sub_scales[16];
  uint8_t codes[64];
  uint8_t scale[2], minimum[2];
} block_q2k;

typedef struct {
  uint8_t third_bits[32];
  uint8_t codes[64];
  uint8_t sub_scales[12];
  uint8_t scale[2];
} block_q3k;

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

typedef struct {
  uint8_t scale[2];
  uint8_t upper_scales[2], lower_scales[4];
  uint8_t nibbles[128];
} block_iq4_xs;

_Static_assert(sizeof(block_q8_0) == 34 && sizeof(block_q4_0) == 18 && sizeof(block_q4_1) == 20 &&
                   sizeof(block_q5_0) == 22 && sizeof(block_q5_1) == 24 && sizeof(block_mxfp4) == 17,
               "blocks of 32 have no padding");
_Static_assert(sizeof(block_q2k) == 84 && sizeof(block_q3k) == 110 && sizeof(block_q4k) == 144 &&
                   sizeof(block_q5k) == 176 && sizeof(block_q6k) == 210 && sizeof(block_iq4_xs) == 136,
               "blocks of 256 have no padding");

/// The codes that nibbles are numbers of, in IQ4_NL and IQ4_XS, and in MXFP4.
static const int8_t iq4_codes[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
static const int8_t fp4_codes[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

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

// Factors of the types with blocks of 32: 16 bits of scale, and in the upper half the float16 minimum.

/// A float16 scale leads the block.
static inline uint32_t factors_scale(const uint8_t *block) { return load_u16(block); }

/// A float16 scale and a float16 minimum lead the block.
static inline uint32_t factors_both(const uint8_t *block) { return load_u32(block); }

/// A byte with the scale's exponent leads the block.
static inline uint32_t factors_exponent(const uint8_t *block) { return *block; }

#endif

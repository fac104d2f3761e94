/// The types with blocks of 256 for NEON. Included with CK_LEVEL defined, after the target attribute is pushed.
#ifndef QUANT_K_NEON_H
#define QUANT_K_NEON_H

#include "quant_32_neon.h"

// Codes

/// 64 bytes of 2-bit codes: bits 0-1 of 32 bytes, then their bits 2-3 and so on.
INLINE void two_bits(const uint8_t bytes[64], int8x16_t codes[16]) {
  UNROLL for (int i = 0; i < 16; i++) {
    const uint8x16_t loaded = vld1q_u8(bytes + 32 * (i / 8) + 16 * (i % 2));
    const uint8x16_t moved = vshlq_u8(loaded, vdupq_n_s8((int8_t)(-2 * (i / 2 % 4))));
    codes[i] = vreinterpretq_s8_u8(vandq_u8(moved, vdupq_n_u8(3)));
  }
}

/// Adds a bit to codes of `place` bits: bit i of 32 bytes belongs to the 32 codes i.
INLINE void add_bits(const uint8_t bytes[32], int place, int8x16_t codes[16]) {
  const uint8x16_t bits[2] = {vld1q_u8(bytes), vld1q_u8(bytes + 16)};
  UNROLL for (int i = 0; i < 16; i++) {
    const uint8x16_t moved = vshlq_u8(bits[i % 2], vdupq_n_s8((int8_t)(place - i / 2)));
    codes[i] = vorrq_s8(codes[i], vreinterpretq_s8_u8(vandq_u8(moved, vdupq_n_u8((uint8_t)(1 << place)))));
  }
}

INLINE void codes_q2k(const uint8_t *block, int8x16_t *codes) { two_bits(block + offsetof(block_q2k, codes), codes); }

INLINE void codes_q3k(const uint8_t *block, int8x16_t *codes) {
  two_bits(block + offsetof(block_q3k, codes), codes);
  add_bits(block + offsetof(block_q3k, third_bits), 2, codes);
}

/// 128 bytes, of each 32 of which the low nibbles come first and then the high ones.
INLINE void nibbles_of_128(const uint8_t bytes[128], int8x16_t codes[16]) {
  UNROLL for (int i = 0; i < 16; i++) {
    const uint8x16_t loaded = vld1q_u8(bytes + 32 * (i / 4) + 16 * (i % 2));
    codes[i] = vreinterpretq_s8_u8(i / 2 % 2 ? vshrq_n_u8(loaded, 4) : vandq_u8(loaded, vdupq_n_u8(15)));
  }
}

INLINE void codes_q4k(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_128(block + offsetof(block_q4k, nibbles), codes);
}

INLINE void codes_q5k(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_128(block + offsetof(block_q5k, nibbles), codes);
  add_bits(block + offsetof(block_q5k, fifth_bits), 4, codes);
}

INLINE void codes_q6k(const uint8_t *bytes, int8x16_t *codes) {
  const block_q6k *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 16; i++) {
    const int half = i / 8, quarter = i / 2 % 4;
    const uint8x16_t nibbles = vld1q_u8(block->nibbles + 64 * half + 32 * (quarter % 2) + 16 * (i % 2));
    const uint8x16_t low = quarter < 2 ? vandq_u8(nibbles, vdupq_n_u8(15)) : vshrq_n_u8(nibbles, 4);
    // Upper bits are at 2 * quarter; they are wanted at 4-5.
    const uint8x16_t upper = vld1q_u8(block->upper_bits + 32 * half + 16 * (i % 2));
    const uint8x16_t high = vandq_u8(vshlq_u8(upper, vdupq_n_s8((int8_t)(4 - 2 * quarter))), vdupq_n_u8(0x30));
    codes[i] = vreinterpretq_s8_u8(vorrq_u8(low, high));
  }
}

INLINE void codes_iq4_xs(const uint8_t *bytes, int8x16_t *codes) {
  const block_iq4_xs *block = (const void *)bytes;
  UNROLL for (int i = 0; i < 8; i++) {
    nibbles_of_16(block->nibbles + 16 * i, codes + 2 * i);
    look_up(iq4_codes, codes + 2 * i);
  }
}

// Sub-scales, sub-minimums and factors. Those of sub-blocks of 32 stand there twice.

/// 16 int8 as int16.
INLINE int16_16 widen(int8x16_t bytes) { return (int16_16){{vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)}}; }

/// 8 int8 as 16 int16, each twice.
INLINE int16_16 twice(uint64_t bytes) {
  const int8x8_t once = vcreate_s8(bytes);
  return (int16_16){{vmovl_s8(vzip1_s8(once, once)), vmovl_s8(vzip2_s8(once, once))}};
}

INLINE int16_16 sub_scales_q2k(const uint8_t *block) {
  const uint8x16_t bytes = vld1q_u8(block + offsetof(block_q2k, sub_scales));
  return widen(vreinterpretq_s8_u8(vandq_u8(bytes, vdupq_n_u8(15))));
}

INLINE int16_16 sub_minimums_q2k(const uint8_t *block) {
  return widen(vreinterpretq_s8_u8(vshrq_n_u8(vld1q_u8(block + offsetof(block_q2k, sub_scales)), 4)));
}

INLINE uint32_t factors_q2k(const uint8_t *block) { return load_u32(block + offsetof(block_q2k, scale)); }

/// 8 bytes of low nibbles, 4 bytes of upper 2 bits, minus 32.
INLINE int16_16 sub_scales_q3k(const uint8_t *block) {
  const uint8_t *bytes = block + offsetof(block_q3k, sub_scales);
  const uint8x8_t low = vld1_u8(bytes);
  const uint8x16_t nibbles = vcombine_u8(vand_u8(low, vdup_n_u8(15)), vshr_n_u8(low, 4));
  const int32_t places[4] = {0, -2, -4, -6};
  const uint32x4_t upper = vshlq_u32(vdupq_n_u32(load_u32(bytes + 8)), vld1q_s32(places));
  const uint8x16_t bits = vshlq_n_u8(vandq_u8(vreinterpretq_u8_u32(upper), vdupq_n_u8(3)), 4);
  return widen(vsubq_s8(vreinterpretq_s8_u8(vorrq_u8(nibbles, bits)), vdupq_n_s8(32)));
}

INLINE uint32_t factors_q3k(const uint8_t *block) { return load_u16(block + offsetof(block_q3k, scale)); }

INLINE int16_16 sub_scales_45k(const uint8_t *block) {
  return twice(unpack_sub_scales_k(block + offsetof(block_q4k, sub_scales)).scales);
}

INLINE int16_16 sub_minimums_45k(const uint8_t *block) {
  return twice(unpack_sub_scales_k(block + offsetof(block_q4k, sub_scales)).minimums);
}

INLINE int16_16 sub_scales_q6k(const uint8_t *block) {
  return widen(load_16(block + offsetof(block_q6k, sub_scales)));
}

INLINE uint32_t factors_q6k(const uint8_t *block) { return load_u16(block + offsetof(block_q6k, scale)); }

/// Eight nibbles, eight times 2 upper bits, minus 32.
INLINE int16_16 sub_scales_iq4_xs(const uint8_t *block) {
  const uint32_t low = load_u32(block + offsetof(block_iq4_xs, lower_scales));
  const uint16x8_t upper = vdupq_n_u16(load_u16(block + offsetof(block_iq4_xs, upper_scales)));
  const int16_t places[8] = {0, -2, -4, -6, -8, -10, -12, -14};
  const uint8x8_t bytes = vcreate_u8((low & 0x0f0f0f0fu) | (uint64_t)((low >> 4) & 0x0f0f0f0fu) << 32);
  const uint8x8_t nibbles = vzip1_u8(bytes, vext_u8(bytes, bytes, 4));
  const uint8x8_t bits = vand_u8(vmovn_u16(vshlq_u16(upper, vld1q_s16(places))), vdup_n_u8(3));
  const int8x8_t once = vsub_s8(vreinterpret_s8_u8(vorr_u8(nibbles, vshl_n_u8(bits, 4))), vdup_n_s8(32));
  return (int16_16){{vmovl_s8(vzip1_s8(once, once)), vmovl_s8(vzip2_s8(once, once))}};
}

// Types

#define TYPE_K(name, ...)                                                                                            \
  static const quant_type name = {.codes = codes_##name,                                                             \
                                  .scales = floats_of_halves,                                                        \
                                  .block_bytes = sizeof(block_##name),                                               \
                                  .elements = 256,                                                                   \
                                  __VA_ARGS__};                                                                      \
  CK_MULTIPLY(NAME_AT(name, CK_LEVEL)) { multiply(&name, &PRODUCT_OF_ARGUMENTS); }

TYPE_K(q2k, .sub_scales = sub_scales_q2k, .sub_minimums = sub_minimums_q2k, .factors = factors_q2k, .sub_block = 16)
TYPE_K(q3k, .sub_scales = sub_scales_q3k, .factors = factors_q3k, .sub_block = 16, .offset = 4)
TYPE_K(q4k, .sub_scales = sub_scales_45k, .sub_minimums = sub_minimums_45k, .factors = factors_both, .sub_block = 32)
TYPE_K(q5k, .sub_scales = sub_scales_45k, .sub_minimums = sub_minimums_45k, .factors = factors_both, .sub_block = 32)
TYPE_K(q6k, .sub_scales = sub_scales_q6k, .factors = factors_q6k, .sub_block = 16, .offset = 32)
TYPE_K(iq4_xs, .sub_scales = sub_scales_iq4_xs, .factors = factors_scale, .sub_block = 32)

#endif

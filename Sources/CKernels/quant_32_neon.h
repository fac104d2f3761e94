/// The types with blocks of 32 for NEON. Included with CK_LEVEL defined, after the target attribute is pushed.
#ifndef QUANT_32_NEON_H
#define QUANT_32_NEON_H

#include "quant_product_neon.h"

/// Low nibbles of 16 bytes, then their high ones.
INLINE void nibbles_of_16(const uint8_t *bytes, int8x16_t codes[2]) {
  const uint8x16_t loaded = vld1q_u8(bytes);
  codes[0] = vreinterpretq_s8_u8(vandq_u8(loaded, vdupq_n_u8(15)));
  codes[1] = vreinterpretq_s8_u8(vshrq_n_u8(loaded, 4));
}

/// The codes that nibbles are numbers of.
INLINE void look_up(const int8_t list[16], int8x16_t codes[2]) {
  const int8x16_t table = vld1q_s8(list);
  UNROLL for (int i = 0; i < 2; i++) codes[i] = vqtbl1q_s8(table, vreinterpretq_u8_s8(codes[i]));
}

/// 32 bits as the fifth bits of 32 codes.
INLINE void add_fifth_bits(const uint8_t bits[4], int8x16_t codes[2]) {
  const uint8x8_t places = vcreate_u8(0x8040201008040201);
  UNROLL for (int i = 0; i < 2; i++) {
    const uint8x16_t spread = vcombine_u8(vdup_n_u8(bits[2 * i]), vdup_n_u8(bits[2 * i + 1]));
    const uint8x16_t set = vandq_u8(vtstq_u8(spread, vcombine_u8(places, places)), vdupq_n_u8(16));
    codes[i] = vorrq_s8(codes[i], vreinterpretq_s8_u8(set));
  }
}

INLINE void take_off(int offset, int8x16_t codes[2]) {
  UNROLL for (int i = 0; i < 2; i++) codes[i] = vsubq_s8(codes[i], vdupq_n_s8((int8_t)offset));
}

INLINE void codes_q4_0(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_16(block + offsetof(block_q4_0, nibbles), codes);
  take_off(8, codes);
}

INLINE void codes_q4_1(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_16(block + offsetof(block_q4_1, nibbles), codes);
}

INLINE void codes_q5_0(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_16(block + offsetof(block_q5_0, nibbles), codes);
  add_fifth_bits(block + offsetof(block_q5_0, fifth_bits), codes);
  take_off(16, codes);
}

INLINE void codes_q5_1(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_16(block + offsetof(block_q5_1, nibbles), codes);
  add_fifth_bits(block + offsetof(block_q5_1, fifth_bits), codes);
}

INLINE void codes_q8_0(const uint8_t *block, int8x16_t *codes) {
  UNROLL for (int i = 0; i < 2; i++) codes[i] = load_16(block + offsetof(block_q8_0, codes) + 16 * i);
}

INLINE void codes_iq4_nl(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_16(block + offsetof(block_q4_0, nibbles), codes);
  look_up(iq4_codes, codes);
}

INLINE void codes_mxfp4(const uint8_t *block, int8x16_t *codes) {
  nibbles_of_16(block + offsetof(block_mxfp4, nibbles), codes);
  look_up(fp4_codes, codes);
}

// Types

#define TYPE_32(name, block, factors_of, scales_of, ...)                                                             \
  static const quant_type name = {.codes = codes_##name,                                                             \
                                  .factors = factors_of,                                                             \
                                  .scales = scales_of,                                                               \
                                  .block_bytes = sizeof(block),                                                      \
                                  .elements = 32,                                                                    \
                                  .sub_block = 32,                                                                   \
                                  __VA_ARGS__};                                                                      \
  CK_MULTIPLY(NAME_AT(name, CK_LEVEL)) { multiply(&name, &PRODUCT_OF_ARGUMENTS); }

TYPE_32(q4_0, block_q4_0, factors_scale, floats_of_halves, )
TYPE_32(q4_1, block_q4_1, factors_both, floats_of_halves, .adds_minimum = true)
TYPE_32(q5_0, block_q5_0, factors_scale, floats_of_halves, )
TYPE_32(q5_1, block_q5_1, factors_both, floats_of_halves, .adds_minimum = true)
TYPE_32(q8_0, block_q8_0, factors_scale, floats_of_halves, )
TYPE_32(iq4_nl, block_q4_0, factors_scale, floats_of_halves, )
TYPE_32(mxfp4, block_mxfp4, factors_exponent, floats_of_exponents, )

#endif

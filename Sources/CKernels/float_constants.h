/// Constants of the arithmetic (docs/numerics.md), shared by the instruction sets.
#ifndef FLOAT_CONSTANTS_H
#define FLOAT_CONSTANTS_H

/// Number type of weights, keys and values; always a compile-time constant, so that each kernel is one loop.
enum { CK_F32, CK_F16, CK_BF16, CK_Q8 };

/// CK_Q8: blocks of 32 elements, a binary16 scale and 32 int8, the last one filled up. Element i of a row is at
/// CK_Q8_CODE(i), its scale at CK_Q8_SCALE(i).
enum { CK_Q8_BLOCK = 34 };
#define CK_Q8_SCALE(i) ((i) / 32 * CK_Q8_BLOCK)
#define CK_Q8_CODE(i) (CK_Q8_SCALE(i) + 2 + (i) % 32)

/// e^x: results below the first are 0, above the second infinite.
#define CK_EXP_LOWEST -0x1.5d589ep6f
#define CK_EXP_HIGHEST 0x1.62e42ep6f
/// Adding it rounds to an integer, ties to even, in the low bits.
#define CK_EXP_MAGIC 0x1.8p23f
#define CK_LOG2_E 0x1.715476p0f
#define CK_LN2_HIGH 0x1.62e430p-1f
#define CK_LN2_LOW -0x1.05c610p-29f
#define CK_EXP_2 0x1.fffffep-2f
#define CK_EXP_3 0x1.55547cp-3f
#define CK_EXP_4 0x1.55563ap-5f
#define CK_EXP_5 0x1.124778p-7f
#define CK_EXP_6 0x1.6c351cp-10f

/// The combine grid: contributions stay below the first; adding the second rounds them to integers.
#define CK_GRID_LIMIT 0x1p51
#define CK_GRID_MAGIC 0x1.8p52

/// Positions of a tile of attention.
enum { CK_TILE = 64 };

#define CK_INLINE static inline __attribute__((always_inline, unused))

/// Fetches part `part` of `parts` of the `bytes` bytes from `base` on, which may be null, into the second cache.
CK_INLINE void ck_fetch_part(const void *base, unsigned long bytes, unsigned long part, unsigned long parts) {
  if (!base) return;
  for (unsigned long i = (bytes * part / parts + 63) / 64 * 64; i < bytes * (part + 1) / parts; i += 64)
    __builtin_prefetch((const char *)base + i, 0, 2);
}

#endif

// Products of types with blocks of 32 for AVX-512 with VNNI.
#pragma STDC FP_CONTRACT OFF
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
                             apply_to = function)
#include "quant_avx512.h"

#define PANEL_BLOCKS 8

/// Up to 8 blocks of 16 weight rows side by side; lane r is row r.
typedef struct {
  __m512i codes[PANEL_BLOCKS][8]; // 4 codes a lane, unsigned bytes
  __m512 scale[PANEL_BLOCKS];
} panel;

/// What a type of block must provide. Its codes are unsigned bytes, `offset` above their values.
typedef struct {
  /// 16 rows: the sums of code * activation.
  __m512i (*rows)(const uint8_t *const blocks[16], const int8_t *activations);
  /// The 8 vectors of codes of 16 rows side by side.
  void (*lay)(const uint8_t *const blocks[16], __m512i codes[8]);
  size_t block_bytes;
  int offset;
} type_32;

/// -offset * the sum of 32 activations, in all lanes; `sums` are the two sums of 16.
INLINE __m512i offset_total(const type_32 *type, const int16_t *sums) {
  return _mm512_dpwssd_epi32(_mm512_setzero_si512(), _mm512_set1_epi16((short)-type->offset), broadcast_32(sums));
}

/// Few activation rows: tiles of 16 weight rows, read block by block. The scale is the first thing in every block.
INLINE void multiply_rows(const type_32 *type, const product *p) {
  for (size_t first = 0; first < p->weight_rows; first += 16) {
    for (size_t a = 0; a < p->activation_rows; a++) {
      const activation_row activation = activation_row_at(p->activations + a * p->activation_stride, p->elements, 32);
      const uint8_t *rows[16];
      rows_from(p, first, 16, rows);
      __m512 sum = _mm512_setzero_ps();
      for (size_t b = 0; b < p->elements / 32; b++) {
        const __m512i total = _mm512_add_epi32(type->rows(rows, activation.elements + 32 * b),
                                               offset_total(type, activation.sums + 2 * b));
        const __m512 scale = _mm512_mul_ps(load_16_halves(rows, 0), _mm512_set1_ps(activation.scales[b]));
        sum = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(total), sum);
        UNROLL for (int r = 0; r < 16; r++) rows[r] += type->block_bytes;
      }
      _mm512_mask_storeu_ps(p->output + a * p->output_stride + first, row_mask(p, first), sum);
    }
  }
}

/// Adds `blocks` blocks of the panel's rows times `count` activation rows from `a` on to the output.
INLINE void add_panel(const type_32 *type, const product *p, const panel *panel, size_t first, size_t a, int count,
                      size_t start, size_t blocks) {
  const __mmask16 mask = row_mask(p, first);
  activation_row activations[8];
  __m512 sums[8];
  UNROLL for (int i = 0; i < count; i++) {
    const size_t row = a + (size_t)i;
    activations[i] = activation_row_at(p->activations + row * p->activation_stride, p->elements, 32);
    sums[i] = start == 0 ? _mm512_setzero_ps()
                         : _mm512_maskz_loadu_ps(mask, p->output + row * p->output_stride + first);
  }
  for (size_t b = 0; b < blocks; b++) {
    __m512i totals[8];
    UNROLL for (int i = 0; i < count; i++) totals[i] = offset_total(type, activations[i].sums + 2 * (start + b));
    UNROLL for (int g = 0; g < 8; g++) {
      const __m512i codes = panel->codes[b][g];
      UNROLL for (int i = 0; i < count; i++)
        totals[i] = _mm512_dpbusd_epi32(totals[i], codes, broadcast_32(activations[i].elements + 32 * (start + b) + 4 * g));
    }
    UNROLL for (int i = 0; i < count; i++) {
      const __m512 scale = _mm512_mul_ps(panel->scale[b], _mm512_set1_ps(activations[i].scales[start + b]));
      sums[i] = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(totals[i]), sums[i]);
    }
  }
  UNROLL for (int i = 0; i < count; i++)
    _mm512_mask_storeu_ps(p->output + (a + (size_t)i) * p->output_stride + first, mask, sums[i]);
}

/// Many activation rows: 8 blocks of 16 weight rows are laid out once and meet all of them.
INLINE void multiply_panels(const type_32 *type, const product *p) {
  panel space;
  const uint8_t *rows[16];
  for (size_t first = 0; first < p->weight_rows; first += PANEL_ROWS) {
    rows_from(p, first, 16, rows);
    for (size_t start = 0; start < p->elements / 32; start += PANEL_BLOCKS) {
      const size_t blocks = MIN(p->elements / 32 - start, PANEL_BLOCKS);
      for (size_t b = 0; b < blocks; b++) {
        type->lay(rows, space.codes[b]);
        space.scale[b] = load_16_halves(rows, 0);
        UNROLL for (int r = 0; r < 16; r++) rows[r] += type->block_bytes;
      }
      size_t a = 0;
      for (; a + 8 <= p->activation_rows; a += 8) add_panel(type, p, &space, first, a, 8, start, blocks);
      for (; a + 2 <= p->activation_rows; a += 2) add_panel(type, p, &space, first, a, 2, start, blocks);
      for (; a < p->activation_rows; a++) add_panel(type, p, &space, first, a, 1, start, blocks);
    }
  }
}

INLINE void multiply(const type_32 *type, const product *p) {
  if (p->activation_rows < PANEL_ACTIVATIONS)
    multiply_rows(type, p);
  else
    multiply_panels(type, p);
}

/// Vector j holds rows j, 4 + j, 8 + j and 12 + j in its 128-bit parts, so that the sums come out in order.
INLINE __m512i load_tile(const uint8_t *const rows[16], int j, size_t offset) {
  return load_4_rows(rows[j] + offset, rows[4 + j] + offset, rows[8 + j] + offset, rows[12 + j] + offset);
}

INLINE __m512i broadcast_128(const void *bytes) { return _mm512_broadcast_i32x4(_mm_loadu_si128(bytes)); }

// Q8_0: codes are made unsigned by adding 128.

INLINE __m512i unsigned_codes(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(-128)); }

INLINE __m512i rows_q8_0(const uint8_t *const blocks[16], const int8_t *activations) {
  const __m512i low = broadcast_128(activations), high = broadcast_128(activations + 16);
  __m512i totals[4];
  UNROLL for (int j = 0; j < 4; j++) {
    totals[j] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), unsigned_codes(load_tile(blocks, j, 2)), low);
    totals[j] = _mm512_dpbusd_epi32(totals[j], unsigned_codes(load_tile(blocks, j, 18)), high);
  }
  return sum_parts(totals[0], totals[1], totals[2], totals[3]);
}

INLINE void lay_q8_0(const uint8_t *const blocks[16], __m512i codes[8]) {
  transpose_16_bytes(blocks, 2, codes);
  transpose_16_bytes(blocks, 18, codes + 4);
  UNROLL for (int g = 0; g < 8; g++) codes[g] = unsigned_codes(codes[g]);
}

static const type_32 q8_0 = {.rows = rows_q8_0, .lay = lay_q8_0, .block_bytes = sizeof(block_q8_0), .offset = 128};

CK_MULTIPLY(ck_multiply_q8_0_avx512) { multiply(&q8_0, &PRODUCT_OF_ARGUMENTS); }

// Q4_0

INLINE __m512i rows_q4_0(const uint8_t *const blocks[16], const int8_t *activations) {
  const __m512i low = broadcast_128(activations), high = broadcast_128(activations + 16);
  const __m512i mask = _mm512_set1_epi8(15);
  __m512i totals[4];
  UNROLL for (int j = 0; j < 4; j++) {
    const __m512i bytes = load_tile(blocks, j, 2);
    totals[j] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_and_si512(bytes, mask), low);
    totals[j] = _mm512_dpbusd_epi32(totals[j], _mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask), high);
  }
  return sum_parts(totals[0], totals[1], totals[2], totals[3]);
}

INLINE void lay_q4_0(const uint8_t *const blocks[16], __m512i codes[8]) {
  const __m512i mask = _mm512_set1_epi8(15);
  __m512i bytes[4];
  transpose_16_bytes(blocks, 2, bytes);
  UNROLL for (int g = 0; g < 4; g++) {
    codes[g] = _mm512_and_si512(bytes[g], mask);
    codes[4 + g] = _mm512_and_si512(_mm512_srli_epi16(bytes[g], 4), mask);
  }
}

static const type_32 q4_0 = {.rows = rows_q4_0, .lay = lay_q4_0, .block_bytes = sizeof(block_q4_0), .offset = 8};

CK_MULTIPLY(ck_multiply_q4_0_avx512) { multiply(&q4_0, &PRODUCT_OF_ARGUMENTS); }

#pragma clang attribute pop
#endif

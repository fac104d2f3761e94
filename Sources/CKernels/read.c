/// Sums of 64-bit words in eight registers: enough loads under way to keep memory busy. What is read matters, not what
/// comes out; but a sum that is right shows that everything was read.
#include "ck_read.h"

#include <string.h>

/// Compilers make the widest registers of the target's baseline of it, which on arm64 are all there are.
uint64_t ck_sum_words(const void *words, size_t bytes) {
  const char *base = words;
  uint64_t sums[16] = {0};
  for (size_t i = 0; i < bytes; i += sizeof(sums)) {
    for (size_t k = 0; k < 16; k++) {
      uint64_t word;
      memcpy(&word, base + i + 8 * k, sizeof(word));
      sums[k] += word;
    }
  }
  uint64_t sum = 0;
  for (size_t k = 0; k < 16; k++) sum += sums[k];
  return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) uint64_t ck_sum_words_avx2(const void *words, size_t bytes) {
  const char *base = words;
  __m256i sums[8];
  for (int k = 0; k < 8; k++) sums[k] = _mm256_setzero_si256();
  for (size_t i = 0; i < bytes; i += 256) {
    for (int k = 0; k < 8; k++) {
      const __m256i values = _mm256_loadu_si256((const __m256i *)(base + i + 32 * k));
      sums[k] = _mm256_add_epi64(sums[k], values);
    }
  }
  for (int k = 1; k < 8; k++) sums[0] = _mm256_add_epi64(sums[0], sums[k]);
  uint64_t lanes[4];
  _mm256_storeu_si256((__m256i *)lanes, sums[0]);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

__attribute__((target("avx512f"))) uint64_t ck_sum_words_avx512(const void *words, size_t bytes) {
  const char *base = words;
  __m512i sums[8];
  for (int k = 0; k < 8; k++) sums[k] = _mm512_setzero_si512();
  for (size_t i = 0; i < bytes; i += 512) {
    for (int k = 0; k < 8; k++) sums[k] = _mm512_add_epi64(sums[k], _mm512_loadu_si512(base + i + 64 * k));
  }
  for (int k = 1; k < 8; k++) sums[0] = _mm512_add_epi64(sums[0], sums[k]);
  return (uint64_t)_mm512_reduce_add_epi64(sums[0]);
}
#endif

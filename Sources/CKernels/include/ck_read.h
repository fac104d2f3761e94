/// Reading memory, to learn how fast a machine can.
#ifndef CK_READ_H
#define CK_READ_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The sum, modulo 2^64, of `bytes / 8` little-endian words; `bytes` is a multiple of 512. All variants give the same.
uint64_t ck_sum_words(const void *words, size_t bytes);

#if defined(__x86_64__)
uint64_t ck_sum_words_avx2(const void *words, size_t bytes);
uint64_t ck_sum_words_avx512(const void *words, size_t bytes);
#endif

#pragma clang assume_nonnull end

#endif

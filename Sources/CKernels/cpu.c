#include "ck_cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

/// State components that the operating system saves (XCR0).
static unsigned long long saved_states(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((unsigned long long)high << 32) | low;
}

static int has(unsigned word, unsigned bits) { return (word & bits) == bits; }

unsigned ck_cpu_features(void) {
  unsigned a, b, c, d;
  const unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, f16c = 1u << 29;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, osxsave | avx | fma | f16c)) return 0;

  const unsigned long long states = saved_states();
  const unsigned long long ymm = 0x06, zmm = 0xE6;
  if ((states & ymm) != ymm) return 0;

  const unsigned avx2 = 1u << 5;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, avx2)) return 0;
  unsigned features = CK_CPU_AVX2;

  const unsigned f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31, vnni = 1u << 11;
  if ((states & zmm) == zmm && has(b, f | dq | bw | vl) && has(c, vnni)) features |= CK_CPU_AVX512;

  const unsigned sub_leaves = a, avx_vnni = 1u << 4;
  if (sub_leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, avx_vnni)) features |= CK_CPU_AVXVNNI;
  return features;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

unsigned ck_cpu_features(void) {
  const unsigned long dotprod = 1ul << 20, i8mm = 1ul << 13; // HWCAP_ASIMDDP, HWCAP2_I8MM
  if (!(getauxval(AT_HWCAP) & dotprod)) return CK_CPU_NEON;
  if (!(getauxval(AT_HWCAP2) & i8mm)) return CK_CPU_NEON | CK_CPU_DOTPROD;
  return CK_CPU_NEON | CK_CPU_DOTPROD | CK_CPU_I8MM;
}
#elif defined(__aarch64__)
unsigned ck_cpu_features(void) { return CK_CPU_NEON; }
#else
unsigned ck_cpu_features(void) { return 0; }
#endif

#ifndef CK_CPU_H
#define CK_CPU_H

/// AVX2, FMA and F16C, and an operating system that saves their registers.
#define CK_CPU_AVX2 1u
/// AVX-512 F, BW, VL, DQ and VNNI on top of CK_CPU_AVX2, and an operating system that saves their registers.
#define CK_CPU_AVX512 2u
/// AVX-VNNI on top of CK_CPU_AVX2.
#define CK_CPU_AVXVNNI 32u
/// arm64 Advanced SIMD.
#define CK_CPU_NEON 4u
/// Dot products of bytes on top of CK_CPU_NEON (DotProd).
#define CK_CPU_DOTPROD 8u
/// Products of matrices of bytes on top of CK_CPU_DOTPROD (I8MM).
#define CK_CPU_I8MM 16u

/// The instruction sets of this machine, as a set of the flags above. The one run-time check of this library.
unsigned ck_cpu_features(void);

/// Tells the processor that this thread waits in a loop.
static inline void ck_spin_hint(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

#endif

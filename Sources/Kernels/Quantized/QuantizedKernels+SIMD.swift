import CKernels
import Tensors

#if arch(x86_64)
  extension QuantizedKernels {
    /// AVX2 with FMA and F16C.
    static let avx2 = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_avx2,
        .q4_1: ck_multiply_q4_1_avx2,
        .q5_0: ck_multiply_q5_0_avx2,
        .q5_1: ck_multiply_q5_1_avx2,
        .q8_0: ck_multiply_q8_0_avx2,
        .iq4_nl: ck_multiply_iq4_nl_avx2,
        .mxfp4: ck_multiply_mxfp4_avx2,
        .q2_K: ck_multiply_q2k_avx2,
        .q3_K: ck_multiply_q3k_avx2,
        .q4_K: ck_multiply_q4k_avx2,
        .q5_K: ck_multiply_q5k_avx2,
        .q6_K: ck_multiply_q6k_avx2,
        .iq4_xs: ck_multiply_iq4_xs_avx2,
      ],
      panelMultiplies: panels256,
      quantizes: [.int8x32: ck_quantize_int8x32_avx2, .int8x256: ck_quantize_int8x256_avx2],
      completes: [.int8x32: ck_complete_int8x32_avx2, .int8x256: ck_complete_int8x256_avx2])

    /// AVX2 with the VNNI of 256 bits that this CPU has: AVX-VNNI, or else that of AVX-512.
    static let avxVNNI = ck_cpu_features() & CK_CPU_AVXVNNI != 0 ? vnniOfAVX : vnniOfAVX512

    static let vnniOfAVX = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_avxvnni,
        .q4_1: ck_multiply_q4_1_avxvnni,
        .q5_0: ck_multiply_q5_0_avxvnni,
        .q5_1: ck_multiply_q5_1_avxvnni,
        .q8_0: ck_multiply_q8_0_avxvnni,
        .iq4_nl: ck_multiply_iq4_nl_avxvnni,
        .mxfp4: ck_multiply_mxfp4_avxvnni,
        .q2_K: ck_multiply_q2k_avxvnni,
        .q3_K: ck_multiply_q3k_avxvnni,
        .q4_K: ck_multiply_q4k_avxvnni,
        .q5_K: ck_multiply_q5k_avxvnni,
        .q6_K: ck_multiply_q6k_avxvnni,
        .iq4_xs: ck_multiply_iq4_xs_avxvnni,
      ],
      panelMultiplies: unsignedPanels256,
      quantizes: [.int8x32: ck_quantize_int8x32_avx2, .int8x256: ck_quantize_int8x256_avx2],
      completes: [.int8x32: ck_complete_int8x32_avx2, .int8x256: ck_complete_int8x256_avx2])

    static let vnniOfAVX512 = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_vnni256,
        .q4_1: ck_multiply_q4_1_vnni256,
        .q5_0: ck_multiply_q5_0_vnni256,
        .q5_1: ck_multiply_q5_1_vnni256,
        .q8_0: ck_multiply_q8_0_vnni256,
        .iq4_nl: ck_multiply_iq4_nl_vnni256,
        .mxfp4: ck_multiply_mxfp4_vnni256,
        .q2_K: ck_multiply_q2k_vnni256,
        .q3_K: ck_multiply_q3k_vnni256,
        .q4_K: ck_multiply_q4k_vnni256,
        .q5_K: ck_multiply_q5k_vnni256,
        .q6_K: ck_multiply_q6k_vnni256,
        .iq4_xs: ck_multiply_iq4_xs_vnni256,
      ],
      panelMultiplies: unsignedPanels256,
      quantizes: [.int8x32: ck_quantize_int8x32_avx2, .int8x256: ck_quantize_int8x256_avx2],
      completes: [.int8x32: ck_complete_int8x32_avx2, .int8x256: ck_complete_int8x256_avx2])

    /// AVX-512 F, BW, VL, DQ and VNNI, besides all of `avx2`.
    static let avx512 = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_avx512,
        .q4_1: ck_multiply_q4_1_avx512,
        .q5_0: ck_multiply_q5_0_avx512,
        .q5_1: ck_multiply_q5_1_avx512,
        .q8_0: ck_multiply_q8_0_avx512,
        .iq4_nl: ck_multiply_iq4_nl_avx512,
        .mxfp4: ck_multiply_mxfp4_avx512,
        .q2_K: ck_multiply_q2k_avx512,
        .q3_K: ck_multiply_q3k_avx512,
        .q4_K: ck_multiply_q4k_avx512,
        .q5_K: ck_multiply_q5k_avx512,
        .q6_K: ck_multiply_q6k_avx512,
        .iq4_xs: ck_multiply_iq4_xs_avx512,
      ],
      panelMultiplies: panels512,
      quantizes: [.int8x32: ck_quantize_int8x32_avx512, .int8x256: ck_quantize_int8x256_avx512],
      completes: [.int8x32: ck_complete_int8x32_avx2, .int8x256: ck_complete_int8x256_avx2])
  }
#elseif arch(arm64)
  extension QuantizedKernels {
    /// NEON, with the products of bytes that this CPU has.
    static let neon: QuantizedKernels = {
      let features = ck_cpu_features()
      if features & CK_CPU_I8MM != 0 { return neonI8MM }
      return features & CK_CPU_DOTPROD != 0 ? neonDotProd : neonAlone
    }()

    private static let neonAlone = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_neon,
        .q4_1: ck_multiply_q4_1_neon,
        .q5_0: ck_multiply_q5_0_neon,
        .q5_1: ck_multiply_q5_1_neon,
        .q8_0: ck_multiply_q8_0_neon,
        .iq4_nl: ck_multiply_iq4_nl_neon,
        .mxfp4: ck_multiply_mxfp4_neon,
        .q2_K: ck_multiply_q2k_neon,
        .q3_K: ck_multiply_q3k_neon,
        .q4_K: ck_multiply_q4k_neon,
        .q5_K: ck_multiply_q5k_neon,
        .q6_K: ck_multiply_q6k_neon,
        .iq4_xs: ck_multiply_iq4_xs_neon,
      ],
      quantizes: [.int8x32: ck_quantize_int8x32_neon, .int8x256: ck_quantize_int8x256_neon],
      completes: [.int8x32: ck_complete_int8x32_neon, .int8x256: ck_complete_int8x256_neon])

    private static let neonDotProd = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_neon_dotprod,
        .q4_1: ck_multiply_q4_1_neon_dotprod,
        .q5_0: ck_multiply_q5_0_neon_dotprod,
        .q5_1: ck_multiply_q5_1_neon_dotprod,
        .q8_0: ck_multiply_q8_0_neon_dotprod,
        .iq4_nl: ck_multiply_iq4_nl_neon_dotprod,
        .mxfp4: ck_multiply_mxfp4_neon_dotprod,
        .q2_K: ck_multiply_q2k_neon_dotprod,
        .q3_K: ck_multiply_q3k_neon_dotprod,
        .q4_K: ck_multiply_q4k_neon_dotprod,
        .q5_K: ck_multiply_q5k_neon_dotprod,
        .q6_K: ck_multiply_q6k_neon_dotprod,
        .iq4_xs: ck_multiply_iq4_xs_neon_dotprod,
      ],
      quantizes: [.int8x32: ck_quantize_int8x32_neon, .int8x256: ck_quantize_int8x256_neon],
      completes: [.int8x32: ck_complete_int8x32_neon, .int8x256: ck_complete_int8x256_neon])

    private static let neonI8MM = QuantizedKernels(
      multiplies: [
        .q4_0: ck_multiply_q4_0_neon_i8mm,
        .q4_1: ck_multiply_q4_1_neon_i8mm,
        .q5_0: ck_multiply_q5_0_neon_i8mm,
        .q5_1: ck_multiply_q5_1_neon_i8mm,
        .q8_0: ck_multiply_q8_0_neon_i8mm,
        .iq4_nl: ck_multiply_iq4_nl_neon_i8mm,
        .mxfp4: ck_multiply_mxfp4_neon_i8mm,
        .q2_K: ck_multiply_q2k_neon_i8mm,
        .q3_K: ck_multiply_q3k_neon_i8mm,
        .q4_K: ck_multiply_q4k_neon_i8mm,
        .q5_K: ck_multiply_q5k_neon_i8mm,
        .q6_K: ck_multiply_q6k_neon_i8mm,
        .iq4_xs: ck_multiply_iq4_xs_neon_i8mm,
      ],
      quantizes: [.int8x32: ck_quantize_int8x32_neon, .int8x256: ck_quantize_int8x256_neon],
      completes: [.int8x32: ck_complete_int8x32_neon, .int8x256: ck_complete_int8x256_neon])
  }
#endif

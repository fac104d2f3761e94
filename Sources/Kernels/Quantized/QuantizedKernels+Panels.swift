import CKernels
import Tensors

#if arch(x86_64)
  extension QuantizedKernels {
    /// Products with weights in panels, for AVX2.
    static let panels256: [QuantType: Multiply] = [
      .q4_0: ck_multiply_q4_0_panels_avx2,
      .q4_1: ck_multiply_q4_1_panels_avx2,
      .q5_0: ck_multiply_q5_0_panels_avx2,
      .q5_1: ck_multiply_q5_1_panels_avx2,
      .q8_0: ck_multiply_q8_0_panels_avx2,
      .iq4_nl: ck_multiply_iq4_nl_panels_avx2,
      .mxfp4: ck_multiply_mxfp4_panels_avx2,
      .q2_K: ck_multiply_q2k_panels_avx2,
      .q3_K: ck_multiply_q3k_panels_avx2,
      .q4_K: ck_multiply_q4k_panels_avx2,
      .q5_K: ck_multiply_q5k_panels_avx2,
      .q6_K: ck_multiply_q6k_panels_avx2,
      .iq4_xs: ck_multiply_iq4_xs_panels_avx2,
    ]

    /// Those of them that are faster than rows with the VNNI of 256 bits: not those with signed codes, for which AVX2 has
    /// no instruction. The others are held up by memory, or no slower.
    static let unsignedPanels256 = panels256.filter { ![.q8_0, .iq4_nl, .iq4_xs].contains($0.key) }

    /// The same for AVX-512 with VNNI.
    static let panels512: [QuantType: Multiply] = [
      .q4_0: ck_multiply_q4_0_panels_avx512,
      .q4_1: ck_multiply_q4_1_panels_avx512,
      .q5_0: ck_multiply_q5_0_panels_avx512,
      .q5_1: ck_multiply_q5_1_panels_avx512,
      .q8_0: ck_multiply_q8_0_panels_avx512,
      .iq4_nl: ck_multiply_iq4_nl_panels_avx512,
      .mxfp4: ck_multiply_mxfp4_panels_avx512,
      .q2_K: ck_multiply_q2k_panels_avx512,
      .q3_K: ck_multiply_q3k_panels_avx512,
      .q4_K: ck_multiply_q4k_panels_avx512,
      .q5_K: ck_multiply_q5k_panels_avx512,
      .q6_K: ck_multiply_q6k_panels_avx512,
      .iq4_xs: ck_multiply_iq4_xs_panels_avx512,
    ]
  }
#endif

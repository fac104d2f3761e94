// Runs kernels of arm64 on cases from standard input and writes what they make to standard output; NeonTests.swift
// builds it for arm64, starts it under qemu-user and knows what it must answer. All numbers are little-endian.
//
// The answer begins with the flags of ck_cpu_features as int64. A case is: uint32 operation, uint32 number of buffers,
// 10 int64 parameters, and for each buffer uint64 bytes and their contents. The answer to it: int64 result, and the
// contents of the last buffer afterwards. Buffers end where memory ends, so that reading behind them is a fault.
#include "CKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS = 4, PARAMETERS = 10 };

enum operation {
  MULTIPLY, // type, row bytes, rows, activation stride, activation rows, elements, output stride; weights, activations
  QUANTIZE, // block, elements; input
  COMPLETE, // block, elements
  STORE,    // bytes of an element, count; input
  NORM,     // epsilon, count; input, weight
  SOFTMAX,  // count
  SWIGLU,   // count; gate, up
  ADD,      // count; source
  DOT,      // count; left, right
  ROTATE,   // is interleaved, pairs; cosines, sines
  ATTEND,   // element bytes, query stride, queries, key stride, value stride, positions, key elements, value elements,
            // state stride, scale in the lower half and is first in the upper one; queries, keys, values
  ACCUMULATE, // weight, scale, count; values
  ADD_ACCUMULATED, // scale, count; sums
};

typedef struct {
  size_t bytes, mapped;
  void *start, *memory;
} buffer;

static void fail(const char *what) {
  fprintf(stderr, "driver: %s\n", what);
  exit(1);
}

static void read_all(void *target, size_t bytes) {
  if (bytes > 0 && fread(target, bytes, 1, stdin) != 1) fail("the input ends in a case");
}

static buffer read_buffer(void) {
  uint64_t bytes;
  read_all(&bytes, sizeof bytes);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
  char *memory = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + size, page, PROT_NONE) != 0) fail("no memory");
  const buffer result = {.bytes = bytes, .mapped = size + page, .start = memory + size - bytes, .memory = memory};
  read_all(result.start, bytes);
  return result;
}

static float as_float(int64_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double as_double(int64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/// The products of quantized weights for this CPU, and those of float weights.
static ck_multiply product(int64_t type, unsigned features) {
#define LEVELS(number, name)                                                                                         \
  case number:                                                                                                       \
    return features & CK_CPU_I8MM      ? ck_multiply_##name##_neon_i8mm                                              \
           : features & CK_CPU_DOTPROD ? ck_multiply_##name##_neon_dotprod                                           \
                                       : ck_multiply_##name##_neon
  switch (type) { // as ggml numbers them
  case 0: return ck_multiply_f32_f32_neon;
  case 1: return ck_multiply_f16_f32_neon;
  case 30: return ck_multiply_bf16_f32_neon;
    LEVELS(2, q4_0);
    LEVELS(3, q4_1);
    LEVELS(6, q5_0);
    LEVELS(7, q5_1);
    LEVELS(8, q8_0);
    LEVELS(10, q2k);
    LEVELS(11, q3k);
    LEVELS(12, q4k);
    LEVELS(13, q5k);
    LEVELS(14, q6k);
    LEVELS(20, iq4_nl);
    LEVELS(23, iq4_xs);
    LEVELS(39, mxfp4);
  default: fail("unknown type of weights"); return NULL;
  }
}

static void attend(const int64_t *p, const buffer *b) {
  float scratch[256];
  const ck_attention tile = {.queries = b[0].start,
                             .query_stride = (size_t)p[1],
                             .query_count = (size_t)p[2],
                             .keys = b[1].start,
                             .key_stride = (size_t)p[3],
                             .values = b[2].start,
                             .value_stride = (size_t)p[4],
                             .count = (size_t)p[5],
                             .key_elements = (size_t)p[6],
                             .value_elements = (size_t)p[7],
                             .scale = as_float(p[9]),
                             .scratch = scratch,
                             .states = b[3].start,
                             .state_stride = (size_t)p[8],
                             .is_first = p[9] >> 32 != 0};
  if (p[0] == 2)
    ck_attend_f16_f32_neon(&tile);
  else
    ck_attend_f32_f32_neon(&tile);
}

static int64_t run(uint32_t operation, const int64_t *p, const buffer *b, unsigned features) {
  switch ((enum operation)operation) {
  case MULTIPLY:
    product(p[0], features)(b[0].start, (size_t)p[1], (size_t)p[2], b[1].start, (size_t)p[3], (size_t)p[4],
                            (size_t)p[5], b[2].start, (size_t)p[6]);
    return 1;
  case QUANTIZE: return (p[0] == 32 ? ck_quantize_int8x32_neon : ck_quantize_int8x256_neon)(
        b[0].start, (size_t)p[1], b[1].start);
  case COMPLETE: return (p[0] == 32 ? ck_complete_int8x32_neon : ck_complete_int8x256_neon)((size_t)p[1], b[0].start);
  case STORE: return (p[0] == 2 ? ck_store_f16_neon : ck_store_f32_neon)(b[0].start, (size_t)p[1], b[1].start);
  case NORM: ck_rms_norm_neon(b[0].start, b[1].start, as_float(p[0]), (size_t)p[1], b[2].start); return 1;
  case SOFTMAX: ck_softmax_neon(b[0].start, (size_t)p[0]); return 1;
  case SWIGLU: ck_swiglu_neon(b[0].start, b[1].start, (size_t)p[0], b[2].start); return 1;
  case ADD: ck_add_neon(b[0].start, b[1].start, (size_t)p[0]); return 1;
  case DOT: *(float *)b[2].start = ck_dot_f32_f32_neon(b[0].start, b[1].start, (size_t)p[0]); return 1;
  case ROTATE:
    (p[0] ? ck_rotate_interleaved_neon : ck_rotate_half_split_neon)(b[2].start, b[0].start, b[1].start, (size_t)p[1]);
    return 1;
  case ATTEND: attend(p, b); return 1;
  case ACCUMULATE:
    return ck_accumulate_neon(b[0].start, as_float(p[0]), as_double(p[1]), (size_t)p[2], b[1].start);
  case ADD_ACCUMULATED: ck_add_accumulated_neon(b[0].start, as_double(p[0]), (size_t)p[1], b[1].start); return 1;
  }
  fail("unknown operation");
  return 0;
}

int main(void) {
  const unsigned features = ck_cpu_features();
  const int64_t flags = features;
  fwrite(&flags, sizeof flags, 1, stdout);
  uint32_t head[2];
  while (fread(head, sizeof head, 1, stdin) == 1) {
    int64_t parameters[PARAMETERS];
    buffer buffers[BUFFERS];
    read_all(parameters, sizeof parameters);
    if (head[1] < 1 || head[1] > BUFFERS) fail("a wild number of buffers");
    for (uint32_t i = 0; i < head[1]; i++) buffers[i] = read_buffer();
    const int64_t result = run(head[0], parameters, buffers, features);
    const buffer *last = &buffers[head[1] - 1];
    fwrite(&result, sizeof result, 1, stdout);
    fwrite(last->start, last->bytes, 1, stdout);
    for (uint32_t i = 0; i < head[1]; i++) munmap(buffers[i].memory, buffers[i].mapped);
  }
  if (fflush(stdout) != 0) fail("the answer cannot be written");
  return 0;
}

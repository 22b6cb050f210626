#pragma once

// xsimd, for vectors of the width that the library was built for, and past what g++ 12 makes of it.

#if !defined(XGRAD_SIMD_BITS) || (XGRAD_SIMD_BITS == 512) != defined(__AVX512F__) || \
    (XGRAD_SIMD_BITS >= 256) != defined(__AVX2__)
#error "xgrad was built for another instruction set: compile with the options of the target xgrad::autograd"
#endif

#if defined(__GNUC__) && !defined(__clang__)
// It reports the deliberately undefined registers inside its own AVX-512 headers wherever they are inlined.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#if defined(__AVX512BW__) && !defined(__OPTIMIZE__)
// At -O0 its intrinsics are macros, of which these two cast to vectors of integers what xsimd's batches turn into only
// when they are asked for an __m512i.
#include <immintrin.h>
#undef _mm512_mask_blend_epi8
#undef _mm512_mask_blend_epi16
inline __m512i _mm512_mask_blend_epi8(__mmask64 mask, __m512i a, __m512i b) {
  return (__m512i)__builtin_ia32_blendmb_512_mask((__v64qi)a, (__v64qi)b, mask);
}
inline __m512i _mm512_mask_blend_epi16(__mmask32 mask, __m512i a, __m512i b) {
  return (__m512i)__builtin_ia32_blendmw_512_mask((__v32hi)a, (__v32hi)b, mask);
}
#endif
#endif

#include <xsimd/xsimd.hpp>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

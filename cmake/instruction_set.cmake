# Users instantiate kernels in their own files, so library and user must be compiled for one instruction set. The
# interface carries -march, and XGRAD_SIMD_BITS, without which autograd/kernels/simd/xsimd.hpp refuses to be compiled.

set(XGRAD_ARCH_FLAG "")
if(XGRAD_ARCH)
  set(XGRAD_ARCH_FLAG "-march=${XGRAD_ARCH}")
endif()

execute_process(
  COMMAND ${CMAKE_CXX_COMPILER} ${XGRAD_ARCH_FLAG} -dM -E -x c++ /dev/null
  OUTPUT_VARIABLE predefined_macros
  ERROR_VARIABLE compiler_message
  RESULT_VARIABLE compiler_result)
if(NOT compiler_result EQUAL 0)
  message(FATAL_ERROR "XGRAD_ARCH=${XGRAD_ARCH}: the compiler refuses ${XGRAD_ARCH_FLAG}\n${compiler_message}")
endif()

if(predefined_macros MATCHES "__AVX512F__")
  set(XGRAD_SIMD_BITS 512)
elseif(predefined_macros MATCHES "__AVX2__")
  set(XGRAD_SIMD_BITS 256)
else()
  set(XGRAD_SIMD_BITS 128)
endif()
message(STATUS "xgrad: XGRAD_ARCH=${XGRAD_ARCH}, vectors of ${XGRAD_SIMD_BITS} bits")

function(xgrad_use_instruction_set target)
  target_compile_definitions(${target} PUBLIC XGRAD_SIMD_BITS=${XGRAD_SIMD_BITS})
  # Contraction is fixed because its default differs between compilers and language modes, and with it the results.
  target_compile_options(${target} PUBLIC ${XGRAD_ARCH_FLAG} -fno-math-errno -fno-trapping-math -ffp-contract=off)
endfunction()

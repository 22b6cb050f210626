find_package(doctest REQUIRED)
# Another tool's derivatives to compare with (EPL-1.0 or GPL-2.0+); nothing but the tests uses it.
find_path(ADOLC_INCLUDE_DIR adolc/adolc.h REQUIRED)
find_library(ADOLC_LIBRARY adolc REQUIRED)

# A test is called by its path below tests/.
file(GLOB_RECURSE test_sources RELATIVE ${PROJECT_SOURCE_DIR}/tests CONFIGURE_DEPENDS
  tests/autograd/*.cpp tests/nn/*.cpp tests/examples/*.cpp tests/usage/*.cpp tests/project/*.cpp)
list(FILTER test_sources EXCLUDE REGEX "^nn/distributed/")
if(NOT XGRAD_BUILD_EXCHANGE)
  list(FILTER test_sources EXCLUDE REGEX "^nn/exchange/")
endif()
list(TRANSFORM test_sources PREPEND tests/ OUTPUT_VARIABLE test_files)
add_executable(xgrad_tests tests/main.cpp tests/support/faulty_disk.cpp ${test_files})
xgrad_own_target(xgrad_tests CALLS)
xgrad_rooms_as_units(xgrad_tests)
target_link_libraries(xgrad_tests PRIVATE
  xgrad::nn xgrad::tables xgrad_examples xgrad_playground doctest::doctest nlohmann_json::nlohmann_json ZLIB::ZLIB
  ${ADOLC_LIBRARY} $<TARGET_NAME_IF_EXISTS:xgrad_exchange>)
target_include_directories(xgrad_tests SYSTEM PRIVATE ${ADOLC_INCLUDE_DIR})
# Without a try around each assertion, an eighth of what they take to compile; the test case catches.
target_compile_definitions(xgrad_tests PRIVATE DOCTEST_CONFIG_SUPER_FAST_ASSERTS XGRAD_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
  XGRAD_CHECKPOINT_VICTIM="$<TARGET_FILE:checkpoint_victim>")
# What nearly every test includes, read once.
target_precompile_headers(xgrad_tests PRIVATE <doctest/doctest.h> <autograd/autograd.hpp> <nn/nn.hpp>)
set_source_files_properties(tests/main.cpp tests/support/faulty_disk.cpp PROPERTIES
  SKIP_PRECOMPILE_HEADERS ON SKIP_UNITY_BUILD_INCLUSION ON)
# As users write them, those as large as a unit, and those that name the same things: each for itself.
set(alone ${test_files})
list(FILTER alone INCLUDE REGEX "tests/(usage|autograd/kernels|autograd/parallel|nn/files)/|tests/[^/]*/[^/]*$")
set_source_files_properties(${alone} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

# A training that a test kills.
add_executable(checkpoint_victim tests/support/checkpoint_victim.cpp)
xgrad_own_target(checkpoint_victim CALLS)
target_link_libraries(checkpoint_victim PRIVATE xgrad::nn)
add_dependencies(xgrad_tests checkpoint_victim)

foreach(source IN LISTS test_sources)
  cmake_path(REMOVE_EXTENSION source OUTPUT_VARIABLE name)
  add_test(NAME ${name} COMMAND xgrad_tests --source-file=*/tests/${source})
  # tests/main.cpp returns 77 when no test case was left to run: ctest calls that skipped, not passed.
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 3600)
  if(name MATCHES "^project/")
    set_tests_properties(${name} PROPERTIES LABELS sources)
  endif()
endforeach()

if(XGRAD_BUILD_EXAMPLES)
  foreach(script programs tables model_files checkpoints)
    add_test(NAME examples/${script}
      COMMAND bash ${PROJECT_SOURCE_DIR}/tests/examples/${script}.sh ${PROJECT_BINARY_DIR}/examples)
    set_tests_properties(examples/${script} PROPERTIES TIMEOUT 3600)
  endforeach()
endif()

# Tests that mpirun starts, on two and on four ranks, and trainings that it kills.
if(TARGET xgrad_distributed)
  add_executable(xgrad_rank_tests tests/main.cpp tests/nn/distributed/world.cpp)
  add_executable(rank_victim tests/nn/distributed/victim.cpp)
  foreach(target xgrad_rank_tests rank_victim)
    xgrad_own_target(${target} CALLS)
    target_link_libraries(${target} PRIVATE xgrad::distributed MPI::MPI_CXX doctest::doctest)
  endforeach()
  foreach(ranks 1 2 4)
    add_test(NAME nn/distributed/world_${ranks} COMMAND ${MPIEXEC_EXECUTABLE} -n ${ranks} $<TARGET_FILE:xgrad_rank_tests>)
    list(APPEND rank_tests nn/distributed/world_${ranks})
  endforeach()
  add_test(NAME nn/distributed/failures
    COMMAND bash ${PROJECT_SOURCE_DIR}/tests/nn/distributed/failures.sh $<TARGET_FILE:rank_victim>)
  add_test(NAME examples/ranks
    COMMAND bash ${PROJECT_SOURCE_DIR}/tests/examples/ranks.sh ${PROJECT_BINARY_DIR}/examples)
  # Open MPI: as root, more ranks than cores, and none bound to a core.
  set(open_mpi "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1;OMPI_MCA_hwloc_base_binding_policy=none")
  set(races "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/open_mpi_races.txt")
  set(leaks "LSAN_OPTIONS=print_suppressions=0:suppressions=${PROJECT_SOURCE_DIR}/cmake/open_mpi_leaks.txt")
  find_library(XGRAD_PMIX NAMES libpmix.so.2 pmix)  # see open_mpi_leaks.txt
  set(loaded $<$<BOOL:${XGRAD_PMIX}>:LD_PRELOAD=${XGRAD_PMIX}>)
  set_tests_properties(${rank_tests} examples/ranks PROPERTIES TIMEOUT 600
    ENVIRONMENT "${open_mpi};${races};${leaks};ASAN_OPTIONS=fast_unwind_on_malloc=0:verify_asan_link_order=0;${loaded}")
  # Its programs are killed; with frames for the leaks of Open MPI it takes minutes. The others look for leaks.
  # COST: it takes longest and is to begin first.
  set_tests_properties(nn/distributed/failures PROPERTIES TIMEOUT 1800 COST 1000 ENVIRONMENT "${open_mpi};${races};ASAN_OPTIONS=detect_leaks=0")
endif()

# What the playground's server answers; the page itself is tried by .ci/run.
find_package(Python3 COMPONENTS Interpreter)
if(TARGET playground AND Python3_FOUND)
  add_test(NAME examples/playground/server
           COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/examples/playground/server.py $<TARGET_FILE:playground>)
  set_tests_properties(examples/playground/server PROPERTIES TIMEOUT 3600
    ENVIRONMENT TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/cpp_httplib_races.txt)
endif()

# Programs that must not compile, and what the compilers say.
add_test(NAME refused COMMAND ${PROJECT_SOURCE_DIR}/tests/refused.sh
  ${XGRAD_ARCH_FLAG} -DXGRAD_SIMD_BITS=${XGRAD_SIMD_BITS})
set_tests_properties(refused PROPERTIES LABELS sources COST 900)

# Faults of the engine, planted in a patched copy of the sweep, which the gradient check must report.
function(xgrad_engine_fault name original patched)
  file(READ ${PROJECT_SOURCE_DIR}/autograd/tape/sweep.cpp sweep)
  string(REPLACE "${original}" "${patched}" faulty "${sweep}")
  if(faulty STREQUAL sweep)
    message(FATAL_ERROR "engine fault ${name}: autograd/tape/sweep.cpp has no '${original}'")
  endif()
  set(source ${PROJECT_BINARY_DIR}/engine_faults/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "@faulty@" @ONLY)
  add_executable(engine_fault_${name} tests/support/engine_fault.cpp ${source})
  xgrad_own_target(engine_fault_${name} CALLS)
  target_link_libraries(engine_fault_${name} PRIVATE xgrad::nn)
  add_test(NAME engine_fault_${name} COMMAND engine_fault_${name})
endfunction()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/autograd/tape/sweep.cpp)
if(NOT BUILD_SHARED_LIBS)  # the copy takes the place of the library's
  xgrad_engine_fault(overwrites "if (!sum.defined())" "if (true)")
  xgrad_engine_fault(loses_cotangent "kernels::add_scaled(sum, gradient, 1.0)" "static_cast<void>(gradient)")
endif()

# Errors over the whole range against MPFR, which takes an hour or two: .ci/full builds and runs it.
add_executable(xgrad_accuracy EXCLUDE_FROM_ALL tests/accuracy/sweep.cpp)
xgrad_own_target(xgrad_accuracy)
target_link_libraries(xgrad_accuracy PRIVATE xgrad::autograd mpfr gmp)

# Readers of files under libFuzzer, with AddressSanitizer and UndefinedBehaviorSanitizer: tests/fuzz/run.sh. Their rooms
# count coverage in the libraries themselves, so that nothing is compiled twice; nobody asks for the counts in the tests.
if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND CMAKE_CXX_FLAGS MATCHES "fsanitize=address")
  file(GLOB fuzzed_sources CONFIGURE_DEPENDS nn/files/*.cpp nn/data/*.cpp nn/saving/*.cpp nn/exchange/*.cpp)
  set_property(SOURCE ${fuzzed_sources} nn/training/checkpoint_file.cpp
    APPEND PROPERTY COMPILE_OPTIONS -fsanitize=fuzzer-no-link)
  add_executable(xgrad_fuzz EXCLUDE_FROM_ALL tests/fuzz/fuzz.cpp)
  xgrad_own_target(xgrad_fuzz)
  target_link_libraries(xgrad_fuzz PRIVATE xgrad::nn ZLIB::ZLIB $<TARGET_NAME_IF_EXISTS:xgrad_exchange>)
  target_compile_definitions(xgrad_fuzz PRIVATE $<$<BOOL:${XGRAD_BUILD_EXCHANGE}>:XGRAD_EXCHANGE>)
  target_link_options(xgrad_fuzz PRIVATE -fsanitize=fuzzer)
endif()

# Models of all layers for other programs: tests/exchange/run.sh.
if(XGRAD_BUILD_EXCHANGE)
  add_executable(xgrad_onnx_models EXCLUDE_FROM_ALL tests/exchange/onnx_models.cpp)
  xgrad_own_target(xgrad_onnx_models CALLS)
  target_link_libraries(xgrad_onnx_models PRIVATE xgrad::exchange)
endif()

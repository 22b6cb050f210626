find_package(doctest REQUIRED)
# Another tool's derivatives to compare with (EPL-1.0 or GPL-2.0+); nothing but the tests uses it.
find_path(ADOLC_INCLUDE_DIR adolc/adolc.h REQUIRED)
find_library(ADOLC_LIBRARY adolc REQUIRED)

file(GLOB test_sources CONFIGURE_DEPENDS tests/test_*.cpp tests/usage_*.cpp)
add_executable(xgrad_tests tests/main.cpp ${test_sources})
xgrad_own_target(xgrad_tests)
target_link_libraries(xgrad_tests PRIVATE
  xgrad::nn xgrad::tables xgrad_command_line doctest::doctest nlohmann_json::nlohmann_json ${ADOLC_LIBRARY})
target_include_directories(xgrad_tests SYSTEM PRIVATE ${ADOLC_INCLUDE_DIR})
target_compile_definitions(xgrad_tests PRIVATE XGRAD_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

foreach(source IN LISTS test_sources)
  cmake_path(GET source STEM name)
  add_test(NAME ${name} COMMAND xgrad_tests --source-file=*/${name}.cpp)
  # tests/main.cpp returns 77 when no test case was left to run: ctest calls that skipped, not passed.
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()

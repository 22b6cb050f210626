# The programs that tests/benchmark/run.sh compares with their peers.
add_executable(xgrad_benchmark tests/benchmark/steps.cpp)
xgrad_own_target(xgrad_benchmark)
target_link_libraries(xgrad_benchmark PRIVATE xgrad::nn)

# A graph of single nodes against the memory bandwidth of its edges.
add_executable(xgrad_graph_benchmark tests/benchmark/network_graph.cpp)
xgrad_own_target(xgrad_graph_benchmark)
target_link_libraries(xgrad_graph_benchmark PRIVATE xgrad::nn)

# nn::fit against a loop by hand.
add_executable(xgrad_fit_benchmark tests/benchmark/fit.cpp)
xgrad_own_target(xgrad_fit_benchmark)
target_link_libraries(xgrad_fit_benchmark PRIVATE xgrad::nn)

# nn::batch_gradients against parallel kernels.
add_executable(xgrad_parts_benchmark tests/benchmark/batch_parts.cpp)
xgrad_own_target(xgrad_parts_benchmark)
target_link_libraries(xgrad_parts_benchmark PRIVATE xgrad::nn)

# Digests of trained parameters: equal before and after a change that must not change a bit.
add_executable(xgrad_digests tests/benchmark/digests.cpp)
xgrad_own_target(xgrad_digests)
target_link_libraries(xgrad_digests PRIVATE xgrad::nn)

add_executable(xgrad_machine tests/benchmark/machine.cpp)
xgrad_own_target(xgrad_machine)
target_compile_options(xgrad_machine PRIVATE ${XGRAD_ARCH_FLAG})
target_include_directories(xgrad_machine SYSTEM PRIVATE ${OpenBLAS_INCLUDE_DIRS})
target_link_libraries(xgrad_machine PRIVATE ${OpenBLAS_LIBRARIES})

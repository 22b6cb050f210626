# xgrad_measures(TARGET SOURCE): a program of tests/benchmark.
function(xgrad_measures target source)
  add_executable(${target} tests/benchmark/${source})
  xgrad_own_target(${target})
  target_link_libraries(${target} PRIVATE xgrad::nn)
endfunction()

xgrad_measures(xgrad_benchmark steps.cpp)               # what tests/benchmark/run.sh compares with LibTorch
xgrad_measures(xgrad_graph_benchmark network_graph.cpp) # a graph of single nodes against the memory bandwidth of its edges
xgrad_measures(xgrad_fit_benchmark fit.cpp)             # nn::fit against a loop by hand
xgrad_measures(xgrad_parts_benchmark batch_parts.cpp)   # nn::batch_gradients against parallel kernels
xgrad_measures(xgrad_files_benchmark files.cpp)         # nn::save and nn::load against dd and a plain read
xgrad_measures(xgrad_digests digests.cpp)               # trained parameters: equal before and after a change without effect

# The machine itself, without xgrad.
add_executable(xgrad_machine tests/benchmark/machine.cpp)
xgrad_own_target(xgrad_machine)
target_compile_options(xgrad_machine PRIVATE ${XGRAD_ARCH_FLAG})
target_include_directories(xgrad_machine SYSTEM PRIVATE ${OpenBLAS_INCLUDE_DIRS})
target_link_libraries(xgrad_machine PRIVATE ${OpenBLAS_LIBRARIES})

# nn::fit on ranks against threads, what sending costs, and LibTorch: tests/benchmark/ranks.py
if(TARGET xgrad_distributed)
  xgrad_measures(xgrad_ranks_benchmark ranks.cpp)
  target_link_libraries(xgrad_ranks_benchmark PRIVATE xgrad::distributed)
endif()

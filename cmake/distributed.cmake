# What needs MPI (Debian: libopenmpi-dev): where it is not found, there is no xgrad::distributed.
find_package(MPI QUIET COMPONENTS CXX)
if(NOT MPI_CXX_FOUND)
  message(STATUS "xgrad: no MPI, hence no xgrad::distributed")
  return()
endif()

file(GLOB distributed_sources CONFIGURE_DEPENDS nn/distributed/*.cpp)
xgrad_library(distributed ${distributed_sources})
target_compile_definitions(xgrad_distributed PRIVATE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
target_link_libraries(xgrad_distributed PUBLIC xgrad_nn PRIVATE fmt::fmt MPI::MPI_CXX)

#include <autograd/kernels/gemm/blas.hpp>

#include <cstdio>
#include <mutex>

// OpenBLAS's own functions. Weak, so that another BLAS links as well.
extern "C" {
[[gnu::weak]] void openblas_set_num_threads(int threads);
[[gnu::weak]] int openblas_get_parallel(void);
}

namespace xgrad {

namespace {

void set_up() {
  if (openblas_set_num_threads == nullptr) return;
  openblas_set_num_threads(1);
  // 0: built without threads, hence without locks; 1: pthread; 2: OpenMP, where each thread has its own setting.
  if (const int parallel = openblas_get_parallel != nullptr ? openblas_get_parallel() : 1; parallel != 1) {
    std::fprintf(stderr, "xgrad: this OpenBLAS is the %s; install libopenblas0-pthread\n",
                 parallel == 0 ? "serial build, which is unsafe for several threads"
                               : "OpenMP build, whose threads get in the way of xgrad's");
  }
}

}  // namespace

void prepare_blas() {
  static std::once_flag once;
  std::call_once(once, set_up);
}

}  // namespace xgrad

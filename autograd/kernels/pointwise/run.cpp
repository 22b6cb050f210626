#include <autograd/kernels/pointwise/run.hpp>
#include <autograd/parallel/parallel.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/memory.hpp>

#include <algorithm>
#include <array>

namespace xgrad::kernels {

namespace {

struct PointwiseOperand {
  const void* data;
  const Shape* shape;
};

constexpr std::size_t max_operands = max_pointwise_arity + 2;
constexpr std::size_t block_elements = 8192;
constexpr std::size_t serial_elements = 2 * block_elements;

/// How many elements of a tensor of so many may be overwritten: memory is given out in whole lines.
std::size_t room_for(std::size_t elements, std::size_t element_bytes) {
  const std::size_t per_line = element_bytes == 4 ? memory_line / 4 : memory_line / 8;
  return (elements + per_line - 1) & ~(per_line - 1);  // no division: this is on the way of every small operation
}

/// The iteration space after merging: extents and each operand's element strides, outermost first.
struct Loops {
  std::size_t rank = 0;
  std::array<std::size_t, Extents::capacity> extent;
  std::array<std::array<std::size_t, max_operands>, Extents::capacity> stride;
};

Loops merge_axes(std::span<const PointwiseOperand> operands, const Shape& shape) {
  // Innermost first while merging: axis a joins the one inside it when every operand steps over that one as a whole.
  Loops loops;
  std::array<std::size_t, max_operands> step;
  step.fill(1);
  for (std::size_t axis = shape.rank(); axis-- > 0;) {
    const auto extent = static_cast<std::size_t>(shape[axis]);
    std::array<std::size_t, max_operands> stride{};
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const Shape& own = *operands[i].shape;
      const std::size_t missing = shape.rank() - own.rank();
      if (axis < missing || own[axis - missing] == 1) continue;  // broadcast: stride 0
      stride[i] = step[i];
      step[i] *= extent;
    }
    if (extent == 1) continue;
    if (loops.rank > 0) {
      const std::size_t inner = loops.rank - 1;
      bool joins = true;
      for (std::size_t i = 0; i < operands.size(); ++i)
        joins = joins && stride[i] == loops.stride[inner][i] * loops.extent[inner];
      if (joins) {
        loops.extent[inner] *= extent;
        continue;
      }
    }
    loops.extent[loops.rank] = extent;
    loops.stride[loops.rank++] = stride;
  }
  if (loops.rank == 0) {
    loops.extent[0] = 1;
    loops.stride[0] = {};
    loops.rank = 1;
  }
  return loops;
}

/// Runs items [first, last), each a piece of a row of the innermost loop.
struct Runner {
  PointwiseKernel kernel;
  const void* closure;
  std::span<const PointwiseOperand> operands;
  const Loops& loops;
  char* output;
  std::size_t element_bytes;
  std::size_t pieces;  // per row

  void operator()(std::size_t first, std::size_t last) const {
    const std::size_t length = loops.extent[0];
    std::array<bool, max_operands> splat;
    for (std::size_t i = 0; i < operands.size(); ++i) splat[i] = loops.stride[0][i] == 0;
    for (std::size_t item = first; item < last; ++item) {
      const std::size_t row = item / pieces;
      const std::size_t begin = item % pieces * block_elements;
      std::array<std::size_t, max_operands> offset{};
      std::size_t rest = row;
      for (std::size_t axis = 1; axis < loops.rank; ++axis) {
        const std::size_t position = rest % loops.extent[axis];
        rest /= loops.extent[axis];
        for (std::size_t i = 0; i < operands.size(); ++i) offset[i] += position * loops.stride[axis][i];
      }
      std::array<const void*, max_operands> inputs;
      for (std::size_t i = 0; i < operands.size(); ++i)
        inputs[i] =
            static_cast<const char*>(operands[i].data) + (offset[i] + begin * loops.stride[0][i]) * element_bytes;
      const std::size_t count = std::min(length - begin, pieces == 1 ? length : block_elements);
      kernel(closure, inputs.data(), splat.data(), output + (row * length + begin) * element_bytes, count, count);
    }
  }
};

/// Over operands that broadcast to `shape`, whose output is contiguous, in memory of allocate().
void run_broadcast(PointwiseKernel kernel, const void* closure, std::span<const PointwiseOperand> operands,
                   const Shape& shape, void* output, std::size_t element_bytes) {
  const std::size_t elements = shape.elements();
  if (elements == 0) return;
  if (elements <= serial_elements) {
    // Small and not broadcast but for scalars: no loops to plan.
    std::array<const void*, max_operands> inputs;
    std::array<bool, max_operands> splat;
    bool flat = true;
    for (std::size_t i = 0; i < operands.size() && flat; ++i) {
      const std::size_t own = operands[i].shape->elements();
      inputs[i] = operands[i].data;
      splat[i] = own == 1 && elements > 1;
      flat = own == elements || own == 1;
    }
    if (flat) return kernel(closure, inputs.data(), splat.data(), output, elements, room_for(elements, element_bytes));
  }
  const Loops loops = merge_axes(operands, shape);
  const std::size_t length = loops.extent[0];
  const std::size_t rows = elements / length;
  const std::size_t pieces = length <= serial_elements ? 1 : divide_up(length, block_elements);
  const Runner run{kernel, closure, operands, loops, static_cast<char*>(output), element_bytes, pieces};
  const std::size_t items = rows * pieces;
  const std::size_t items_per_block = std::max<std::size_t>(1, block_elements / std::min(length, block_elements));
  const std::size_t blocks = divide_up(items, items_per_block);
  if (elements <= serial_elements)
    run(0, items);
  else
    parallel_blocks(blocks, [&](std::size_t block) {
      run(block * items_per_block, std::min(items, (block + 1) * items_per_block));
    });
}

/// Over operands of the output's shape.
void run_alike(PointwiseKernel kernel, const void* closure, std::span<const void* const> operands, std::size_t elements,
               void* output, std::size_t element_bytes) {
  static constexpr std::array<bool, max_operands> no_splat{};
  if (elements == 0) return;
  if (elements <= serial_elements)
    return kernel(closure, operands.data(), no_splat.data(), output, elements, room_for(elements, element_bytes));
  parallel_blocks(divide_up(elements, block_elements), [&](std::size_t block) {
    const std::size_t begin = block * block_elements, count = std::min(elements - begin, block_elements);
    std::array<const void*, max_operands> inputs;
    for (std::size_t i = 0; i < operands.size(); ++i)
      inputs[i] = static_cast<const char*>(operands[i]) + begin * element_bytes;
    kernel(closure, inputs.data(), no_splat.data(), static_cast<char*>(output) + begin * element_bytes, count, count);
  });
}

[[gnu::noinline]] Tensor broadcast_and_run(const char* name, PointwiseKernel kernel, const void* closure,
                                           std::span<const TensorBody* const> bodies) {
  Shape shape = bodies[0]->shape;
  std::array<PointwiseOperand, max_operands> operands;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    operands[i] = {bodies[i]->storage->data, &bodies[i]->shape};
    shape = broadcast(name, shape, bodies[i]->shape);
  }
  const DType dtype = bodies[0]->dtype;
  Tensor result = Tensor::uninitialized(shape, dtype, name);
  run_broadcast(kernel, closure, {operands.data(), bodies.size()}, shape, result.untyped_fresh_data(), size_of(dtype));
  return result;
}

}  // namespace

Tensor run_pointwise(const char* name, const KernelByDType& kernels, const void* closure,
                     std::span<const TensorBody* const> operands) try {
  const DType dtype = operands[0]->dtype;
  const PointwiseKernel kernel = kernels[static_cast<std::size_t>(dtype)];
  const Shape& first = operands[0]->shape;
  bool alike = true;
  std::array<const void*, max_operands> data;
  data[0] = operands[0]->storage->data;
  for (std::size_t i = 1; i < operands.size(); ++i) {
    data[i] = operands[i]->storage->data;
    alike = alike && operands[i]->shape == first;
  }
  if (!alike) return broadcast_and_run(name, kernel, closure, operands);
  Tensor result = Tensor::uninitialized(first, dtype);
  run_alike(kernel, closure, {data.data(), operands.size()}, first.product(), result.untyped_fresh_data(),
            size_of(dtype));
  return result;
} catch (const MemoryError& error) {
  throw MemoryError(name, error.problem());
}

}  // namespace xgrad::kernels

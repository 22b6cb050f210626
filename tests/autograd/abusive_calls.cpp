#include "tests/support/hostile.hpp"

#include <autograd/pointwise.hpp>
#include <autograd/xtensor.hpp>

using namespace hostile;

namespace {

const Tensor vector_leaf = expect::leaf(tensor({1.0, 2.0, 3.0}));
const Tensor matrix = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.5}});
const std::vector<Tensor> two_leaves = {vector_leaf, expect::leaf(tensor({4.0, 5.0, 6.0}))};
constexpr Int zero = 0, one = 1, two = 2, three = 3;

void elementwise(Abuse& abuse) {
  const auto unary = abuse.of<Tensor(const Tensor&)>();
  unary("exp", exp), unary("expm1", expm1), unary("log", log), unary("log1p", log1p), unary("sqrt", sqrt),
      unary("square", square), unary("abs", abs), unary("sign", sign), unary("floor", floor), unary("sin", sin),
      unary("cos", cos), unary("tanh", tanh), unary("neg", neg), unary("sigmoid", sigmoid), unary("softplus", softplus),
      unary("relu", relu), unary("swish", swish), unary("log_sigmoid", log_sigmoid), unary("mish", mish),
      unary("elu", elu), unary("hard_tanh", hard_tanh), unary("detach", detach), unary("leaky_relu", leaky_relu);
  abuse("pointwise cube", [](const Tensor& x) {
    return pointwise(
        "cube", [](auto v) { return v * v * v; }, x);
  });
  const auto with_number = abuse.of<Tensor(const Tensor&, double)>();
  with_number("elu", elu), with_number("leaky_relu", leaky_relu), with_number("step", step), with_number("add", add),
      with_number("sub", sub), with_number("mul", mul), with_number("div", div), with_number("pow", pow),
      with_number("maximum", maximum), with_number("minimum", minimum), with_number("eq", eq), with_number("ne", ne),
      with_number("lt", lt), with_number("le", le), with_number("gt", gt), with_number("ge", ge);
  const auto from_left = abuse.of<Tensor(double, const Tensor&)>();
  from_left("add", add), from_left("sub", sub), from_left("mul", mul), from_left("div", div), from_left("pow", pow),
      from_left("maximum", maximum), from_left("minimum", minimum);
  const auto binary = abuse.of<Tensor(const Tensor&, const Tensor&)>();
  binary("add", add), binary("sub", sub), binary("mul", mul), binary("div", div), binary("pow", pow),
      binary("maximum", maximum), binary("minimum", minimum), binary("eq", eq), binary("ne", ne), binary("lt", lt),
      binary("le", le), binary("gt", gt), binary("ge", ge);
  abuse("constant_like", [](const Tensor& x, double y) { return constant_like(x, y); });
  abuse("prelu", good(matrix, vector_leaf), prelu);
  abuse("accumulate add", [](const Tensor& a, const Tensor& b) { return accumulate(a, b); });
  abuse("operator+ operator- operator* operator/ add sub mul div neg",
        [](const Tensor& a, const Tensor& b, double c) { return (a + b) * (a - b) / b + c * a - a / c - (-a); });
  abuse("operator+= operator-= operator*= operator/= add sub mul div", [](Tensor a, const Tensor& b, double c) {
    a += b, a -= b, a *= b, a /= b;
    a += c, a -= c, a *= c, a /= c;
    return a;
  });
  abuse("where", [](const Tensor& c, const Tensor& a, const Tensor& b) { return where(c, a, b); });
  abuse("where", [](const Tensor& c, const Tensor& a, double b) { return where(c, a, b) + where(c, b, a); });
  abuse("clamp", good(matrix, -1.0, 1.0), clamp);
  abuse("maxout", good(matrix, three), maxout);
  abuse("pointwise_with cube", [](const Tensor& a, bool of_result) {
    return pointwise_with(
        {.derivative_of_result = of_result}, "cube", [](auto v) { return v * v * v; }, a);
  });
  const auto twice = [](const Tensor& a) { return a * 2.0; };
  const auto twice_back = [](const Call& call) { return call.cotangent() * 2.0; };
  abuse("custom described own mul", [=](const Tensor& a) {
    return custom("own", described(twice, [] { return OperationDescription{}; }), twice_back, a);
  });
  abuse("custom_with apply_operation own mul", [=](const Tensor& a, bool recorded) {
    return custom_with({.recorded_vjp = recorded}, "own", twice, twice_back, a);
  });
}

void layout(Abuse& abuse) {
  abuse("reshape", good(matrix, Shape{3, 2}), reshape);
  abuse("squeeze", good(matrix, Axes{}), squeeze);
  abuse("permute", good(matrix, Axes{1, 0}), permute);
  const auto of_axis = abuse.of<Tensor(const Tensor&, Int)>();
  of_axis("flatten", flatten), of_axis("unsqueeze", unsqueeze);
  abuse("transpose", good(matrix, zero, one), transpose);
  for (const auto& [name, f] : {std::pair{"slice", &slice}, {"slice_axis slice", slice_axis}})
    abuse(name, good(matrix, zero, zero, two, one), f);
  for (const auto& [name, f] :
       {std::pair{"stack", &stack}, {"stack_axis stack", stack_axis}, {"concatenate", concatenate}})
    abuse(name, good(two_leaves, zero), f);
  abuse("broadcast_to", good(matrix, Shape{4, 2, 3}), broadcast_to);
  abuse("take", good(matrix, arange(2), zero), take);
  abuse("scatter_add", good(matrix, arange(2), two, zero), scatter_add);
  abuse("one_hot", good(arange(2), two, float32), one_hot);
  abuse("check_indices", good(arange(2), two),
        [](const Tensor& a, Int extent) { check_indices("check_indices", "index", a, extent); });
  abuse("check_indices", good(std::vector<Int>{0, 1}, two),
        [](const std::vector<Int>& a, Int extent) { check_indices("check_indices", "index", a, extent); });
  abuse("axis_flags", [](const Axes& axes, const Shape& shape) { seen(axis_flags("axis_flags", axes, shape.rank())); });
  abuse("normalize_axis", good(zero, std::size_t{2}), [](Int axis, std::size_t rank) {
    if (normalize_axis("normalize_axis", axis, rank) >= rank) throw std::out_of_range("beyond the rank");
  });
  abuse("broadcast", [](const Shape& a, const Shape& b) { seen(broadcast("broadcast", a, b)); });
  abuse("broadcasts_to", broadcasts_to);
  abuse("check_last_extent", good(Shape{2, 3}, three),
        [](const Shape& a, Int extent) { check_last_extent("check_last_extent", a, extent); });
  abuse("to_string", [](const Shape& a) { return to_string(a); });
}

void reductions_and_products(Abuse& abuse) {
  const auto reduction = abuse.of<Tensor(const Tensor&, const Axes&, bool)>();
  reduction("sum", sum), reduction("mean", mean), reduction("max", max), reduction("min", min), reduction("prod", prod),
      reduction("var", var), reduction("logsumexp", logsumexp), reduction("norm", norm);
  abuse("centred", centred);
  const auto place = abuse.of<Tensor(const Tensor&, Int, bool)>();
  place("argmax", argmax), place("argmin", argmin);
  const auto along = abuse.of<Tensor(const Tensor&, Int)>();
  along("softmax", softmax), along("log_softmax", log_softmax);
  const Tensor labels = arange(2), soft = softmax(matrix);
  for (const Tensor& targets : {labels, soft}) {
    abuse("softmax_cross_entropy", good(matrix, targets),
          [](const Tensor& a, const Tensor& t) { return softmax_cross_entropy(a, t); });
    abuse("mean_softmax_cross_entropy", good(matrix, targets),
          [](const Tensor& a, const Tensor& t) { return mean_softmax_cross_entropy(a, t); });
    abuse("check_cross_entropy", good(matrix, targets),
          [](const Tensor& a, const Tensor& t) { check_cross_entropy("check_cross_entropy", a, t); });
  }
  abuse("matmul", good(matrix, matrix, false, true),
        [](const Tensor& a, const Tensor& b, bool s, bool t) { return s || t ? matmul(a, b, s, t) : matmul(a, b); });
  const Tensor weight = tensor({{1.0}, {2.0}, {3.0}});
  abuse("linear", good(matrix, weight, tensor({1.0})),
        [](const Tensor& a, const Tensor& w, const Tensor& b) { return linear(a, w, b); });
  abuse("linear", good(matrix, weight), [](const Tensor& a, const Tensor& w) { return linear(a, w); });
  abuse("outer", good(vector_leaf, vector_leaf), outer);
  abuse("dot", good(vector_leaf, vector_leaf), dot);
  abuse("orthonormal_factor", good(detach(transpose(matrix)).to(float64)), orthonormal_factor);
  abuse("common_floating_dtype",
        [](const Tensor& a, const Tensor& b) { common_floating_dtype("common_floating_dtype", a, b); });
  abuse("check_defined", [](const Tensor& a) { check_defined("check_defined", "a", a); });
}

void makers(Abuse& abuse) {
  abuse("zeros", zeros), abuse("ones", ones);
  abuse("Tensor::uninitialized tensor",
        [](const Shape& shape, DType dtype) { return Tensor::uninitialized(shape, dtype) * zeros({}, dtype); });
  abuse("full", full);
  abuse("arange", arange);
  abuse("tensor", [](double a, double b, DType dtype) { return tensor({{a, b}, {b, a}}, dtype) + tensor(a, dtype); });
  abuse("tensor", good(std::vector<double>{1, 2}, Shape{2}, float32),
        [](const std::vector<double>& list, const Shape& shape, DType dtype) { return tensor(list, shape, dtype); });
  abuse("number_as", good(1.0), [](double value) { seen(number_as<Int>(value, "number_as")); });
  abuse("uniform", [](const Shape& s, double a, double b, DType d) { return uniform(s, a, b, d); });
  abuse("normal", [](const Shape& s, double a, double b, DType d) { return normal(s, a, b, d); });
  abuse("bernoulli", [](const Shape& s, double p, DType d) { return bernoulli(s, p, d); });
  abuse("integers", good(Shape{2}, zero, two), [](const Shape& s, Int a, Int b) { return integers(s, a, b); });
  abuse("permutation", [](Int n) { return permutation(n); });
  abuse("shuffle", [](std::vector<Int> list) { shuffle(list); });
  abuse(
      "Generator Generator::split Generator::take Generator::state Generator::operator= seed default_generator "
      "DefaultGenerator DefaultGenerator::generator",
      [](std::size_t seed_number, std::size_t stream, std::size_t steps) {
        Generator generator(seed_number, stream);
        seen(generator.split(steps).take(steps), generator.take(steps));
        Generator other;
        other = generator;
        seed(seed_number);
        DefaultGenerator scope{other};
        seen(default_generator().state(), scope.generator().state());
        return uniform({3}, 0, 1, float64, other);
      });
  abuse("Shape Axes sum", good(zero), [](Int extent) { return sum(zeros(Shape(extent)), Axes(extent)); });
  abuse("set_threads", [](std::size_t count) {
    set_threads(count < 9 ? count : 0);  // of more than there are cores, each gets a thread
    set_threads(0);
  });
  abuse("DefaultDType default_dtype size_of is_floating name_of dtype", [](DType dtype) {
    const DefaultDType scope(dtype);
    seen(default_dtype(), size_of(dtype), is_floating(dtype), name_of(dtype));
    return zeros({2});
  });
  abuse("from_xtensor as_xtensor shape_of tensor", [](const Tensor& x) { return from_xtensor(as_xtensor<float>(x)); });
}

void tensors(Abuse& abuse) {
  abuse(
      "Tensor Tensor::shape Tensor::extent Tensor::rank Tensor::size Tensor::bytes Tensor::dtype Tensor::version "
      "Tensor::is Tensor::defined Tensor::operatorbool is_recorded",
      [](const Tensor& a, Int axis) {
        seen(a.is(a), a.defined() && a, a.shape(axis), a.extent(axis), a.rank() + a.size() + a.bytes() + a.version(),
             a.dtype(), is_recorded(a));
        return a;
      });
  abuse("Tensor::item", good(tensor(1.0)), [](const Tensor& a) { seen(a.item()); });
  abuse("Tensor::item", good(matrix, zero, one), [](const Tensor& a, Int i, Int j) { seen(a.item({i, j})); });
  abuse("Tensor::data Tensor::values tensor", [](const Tensor& a) {
    float sum = 0;
    for (const float value : a.values<float>()) sum += value;
    seen(a.data<float>(), sum);
  });
  abuse("Tensor::modify Tensor::clone", [](const Tensor& a) {
    Tensor copy = a.clone();
    copy.modify([](auto values) { std::fill(values.begin(), values.end(), 0); });
    copy.modify([](std::span<float>) {});
  });
  abuse("Tensor::assign clone detach", [](const Tensor& a, const Tensor& b) {
    Tensor copy = detach(a).clone();
    copy.assign(b);
    return copy;
  });
  abuse("Tensor::requires_gradient Tensor::is_leaf Tensor::label detach",
        [](const Tensor& a, bool required, const std::string& text) {
          Tensor copy = detach(a);
          copy.label(text);
          copy.requires_gradient(required);
          seen(copy.label(), copy.is_leaf());
          return copy;
        });
  abuse("Tensor::to", [](const Tensor& a, DType dtype) { return a.to(dtype); });
  abuse("operator<< tensor", [](const Tensor& a) {
    std::ostringstream stream;
    stream << a << a.shape() << a.dtype();
  });
}

void lists(Abuse& abuse) {
  abuse(
      "Extents Extents::operator[] Extents::insert Extents::push_back Extents::erase Extents::back Extents::begin "
      "Extents::end Extents::size Extents::empty Shape::elements Shape::product Shape::rank Shape::extent repeated "
      "shape",
      [](Shape s, std::size_t place, Int value, std::size_t count) {
        seen(s.rank(), s.empty(), s.end() - s.begin() == static_cast<std::ptrdiff_t>(s.size()));
        seen(s.elements(), s.extent(place), s.back(), repeated<Shape>(count, 2));
        s[place] = 1;
        s.erase(place);
        s.insert(place, value);
        s.push_back(value);
        seen(Extents(std::vector<Int>(s.begin(), s.end())), s.elements());
      });
  abuse("Tensors Tensors::operator[] Tensors::begin Tensors::end Tensors::size Tensors::operator= checked_position",
        good(std::size_t{2}, one), [](std::size_t count, std::size_t place) {
          Tensors list(count), other;
          list[place] = tensor(1.0);
          other = list;
          Tensors taken = std::move(other);
          for (Tensor& one_of : taken) one_of = taken[place];
          seen(taken.size());
          return taken[place];
        });
  abuse("Inputs Inputs::operator[] Inputs::first Inputs::size tensors", good(std::size_t{2}, std::size_t{1}),
        [](std::size_t count, std::size_t place) {
          const Tensor* const list[] = {&vector_leaf, &vector_leaf};
          const Inputs inputs(list, 2);
          seen(inputs.size());
          return inputs.first(count)[place];
        });
  abuse("Which::only Which::all Which::none Which::contains Which::contains_first",
        [](std::size_t i, std::size_t count) {
          const Which which = Which::only(i);
          if (!which.contains(i)) throw std::logic_error("only(i) does not contain i");
          seen(which.contains_first(count), Which::all().contains(i), Which::none().contains(i));
        });
}

void tapes(Abuse& abuse) {
  const auto recorded = [] { return square(vector_leaf); };
  abuse("Tape Tape::backward", good(ones({3}), true, false),
        [=](const Tensor& cotangent, bool keep, bool differentiable) {
          Tape tape;
          return tape.backward(recorded(), cotangent, {.keep = keep, .differentiable = differentiable});
        });
  // In place of vector_leaf, a result that the tape has.
  const auto with_result = [=](std::vector<Tensor> list) {
    std::replace_if(
        list.begin(), list.end(), [](const Tensor& x) { return x.is(vector_leaf); }, recorded());
    return list;
  };
  abuse("Tape::backward", good(std::vector<Tensor>{vector_leaf}, std::vector<Tensor>{ones({3})}),
        [=](const std::vector<Tensor>& outputs, const std::vector<Tensor>& cotangents) {
          Tape tape;
          return tape.backward(with_result(outputs), cotangents);
        });
  abuse("Tape::backward", good(std::vector<Tensor>{}, std::vector<Tensor>{vector_leaf}),
        [=](const std::vector<Tensor>& also, const std::vector<Tensor>& only) {
          Tape tape;
          Tensor last;
          return tape.backward(sum(recorded()), {.also = with_result(also),
                                                 .only = only,
                                                 .on_final = [&last](const auto& entry) { last = entry.gradient(); },
                                                 .on_final_rows = [&last](const auto&, const Tensor& gradient,
                                                                          std::int64_t) { last = gradient; }});
        });
  abuse(
      "Tape::open Tape::size Tape::saved_bytes Tape::nonfinite Tape::masked_derivatives NonFiniteOrigin::text "
      "Pause PathScope PathScope::current records_everything log",
      [](const Tensor& a, bool trace, const std::string& path) {
        Tape tape({.trace_nonfinite = trace});
        const PathScope scope(path);
        const Tensor y = log(a);
        if (const NonFiniteOrigin* const origin = tape.nonfinite()) seen(origin->text());
        std::ostringstream stream;
        stream << tape;
        const Pause pause;
        seen(tape.open(), tape.size() + tape.saved_bytes() + tape.masked_derivatives(), PathScope::current(),
             records_everything());
        return log(a);
      });
  abuse(
      "Call::input Call::output Call::cotangent Call::unbroadcast_cotangent Call::needs Call::output_shape "
      "Call::input_count Call::recording Call::tracing Call::report_masked Call::tells_rows Call::tell_rows backward",
      good(std::size_t{0}, std::size_t{0}), [](std::size_t i, std::size_t which) {
        Tape tape;
        const Tensor y = custom(
            "curious", [](const Tensor& a) { return a * 2.0; },
            [&](const Call& call) {
              seen(call.input_count() + call.recording() + call.tracing());
              call.report_masked(i);
              if (which == 0) seen(call.input(i));
              if (which == 1) seen(call.output(i));
              if (which == 2) seen(call.cotangent(i));
              if (which == 3) seen(call.unbroadcast_cotangent(i));
              if (which == 8) seen(call.needs(i));
              if (which == 9) seen(call.tells_rows(i));
              if (which == 9) call.tell_rows(i, vector_leaf, i);
              if (which == 9) seen(call.output_shape(i));
              return call.cotangent() * 2.0;
            },
            vector_leaf);
        return tape.backward(y, ones({3}));
      });
  abuse("apply_all many mul", [](std::size_t outputs, const Tensor& a) {
    struct Many : Operation {
      std::size_t count = 1;
      std::string_view name() const override { return "many"; }
      Tensors forward(const Inputs& inputs) override {
        Tensors list(count);
        for (Tensor& one_of : list) one_of = inputs[0] * 2.0;
        return list;
      }
      Tensors vjp(const Call& call) const override { return call.cotangent() * 2.0; }
    } many;
    many.count = outputs;
    const Tensor* const inputs[] = {&a};
    return apply_all(many, Inputs(inputs, 1))[0];
  });
}

void gradients(Abuse& abuse) {
  abuse(
      "Gradients::set Gradients::operator[] Gradients::find Gradients::contains Gradients::begin Gradients::end "
      "Gradients::size Gradients::empty gradients",
      [](const Tensor& key, const Tensor& g) {
        Gradients made;
        made.set(key, g);
        const Gradients list = std::move(made);
        seen(made.begin() == made.end() && made.size() == 0 && made.empty());
        seen(list.contains(key), list.find(key));
        return list[key];
      });
  abuse("Gradients::add Gradients::operator+= Gradients::operator*= Gradients::norm gradients", good(ones({3}), 2.0),
        [](const Tensor& g, double factor) {
          Gradients list, other;
          list.set(vector_leaf, ones({3}));
          other.set(vector_leaf, g);
          list.add(other, factor) += other;
          list *= factor;
          seen(list.norm());
          return list;
        });
  abuse(
      "Call::add_rows Gradients::entry Gradients::rows Entry::add Entry::get Entry::gradient Entry::operator= "
      "Entry::rows "
      "Entry::tensor Entry gradients own",
      good(arange(2), ones({2, 3}), 2.0), [](const Tensor& rows, const Tensor& values, double factor) {
        const Tensor table = expect::leaf(ones({4, 3}));
        Tape tape;
        const Tensor y = custom(
            "own", [](const Tensor& x) { return sum(x); },
            [&](const Call& call) {
              call.add_rows(0, rows, values);
              return Tensors(1);
            },
            table);
        const Gradients list = tape.backward(y);
        seen(list.rows(table), list.entry(values));
        Gradients::Entry entry = *list.entry(table);
        entry.add(entry, factor);
        entry = Gradients::Entry(entry);
        seen(entry.rows() != nullptr, entry.tensor().size(), entry.get<0>());
        return entry.gradient();
      });
  abuse("Gradients::set gradients", good(vector_leaf, tensor({0, 2}, int64), ones({2})),
        [](const Tensor& x, const Tensor& rows, const Tensor& values) {
          Gradients list;
          list.set(x, RowGradient{rows, values});
          return list[x];
        });
  abuse("Gradients::clip_norm Gradients::clip_value gradients", [](const Tensor& g, double limit, NonFinite policy) {
    Gradients list;
    list.set(g, g);
    seen(list.clip_norm(limit, policy));
    list.clip_value(limit, policy);
    return list;
  });
}

void functions(Abuse& abuse) {
  const auto f = [](const Tensor& a) { return sum(square(a)); };
  const auto g = [](const Tensor& a) { return square(a); };
  const auto of_list = [](const std::vector<Tensor>& a) { return sum(square(a.at(0))); };
  abuse("gradient value_and_gradient", [=](const Tensor& a) { return gradient(f, value_and_gradient(f, a).second); });
  abuse("gradient", good(tensor(1.0)),
        [](const Tensor& result) { return gradient([&](const Tensor&) { return result; }, vector_leaf); });
  abuse("jacobian", [=](const Tensor& a) { return jacobian(g, a); });
  abuse("hessian", [=](const Tensor& a) { return hessian(f, a); });
  abuse("hessian_vector_product", [=](const Tensor& a, const Tensor& v) { return hessian_vector_product(f, a, v); });
  abuse("jacobian_vector_product", [=](const Tensor& a, const Tensor& v) { return jacobian_vector_product(g, a, v); });
  abuse("vector_jacobian_product", [=](const Tensor& a, const Tensor& u) { return vector_jacobian_product(g, a, u); });
  abuse("gradient", [=](const std::vector<Tensor>& a) { return gradient(of_list, a); });
  abuse("hessian", [=](const std::vector<Tensor>& a) { return hessian(of_list, a); });
  abuse("gradient", good(std::function<Tensor(const Tensor&)>(f)),
        [](const std::function<Tensor(const Tensor&)>& own) { return gradient(own, vector_leaf); });
  abuse("recompute square", [=](const Tensor& a) { return recompute(g, a); });
  using OfList = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
  const OfList all = [](const std::vector<Tensor>& in) { return in.empty() ? in : std::vector<Tensor>{exp(in[0])}; };
  abuse("recompute_all recompute exp", good(two_leaves, all),
        [](const std::vector<Tensor>& list, const OfList& own) { return recompute_all(own, list); });
  abuse.slow(
      "check_gradients check_gradients_in_place check_gradients_of_copies GradientReport::ok GradientReport::text "
      "GradientReport::json GradientReport::passed GradientReport::operator[] GradientReport::require gradient",
      good(1e-6, 1e-4, 1000.0, one, std::size_t{4}, float64, tensor({1.0, 2.0})),
      [=](double tolerance, double noise, double rounding, Int order, std::size_t sample, DType dtype,
          const Tensor& x) {
        GradientCheckOptions options;
        options.tolerance = tolerance, options.noise_limit = noise, options.rounding_limit = rounding;
        options.order = static_cast<int>(order), options.sample = sample, options.dtype = dtype;
        const GradientReport report = check_gradients(of_list, std::vector<Tensor>{x}, options);
        seen(report.ok() && report.passed(report.rows[0]), report.text(), report.json(), report["input 0"].name);
        report.require();
      });
  abuse("check_gradients", good(tensor(1.0)), [=](const Tensor& cotangent) {
    seen(check_gradients(of_list, NamedTensors{{"a", tensor({1.0, 2.0})}}, {.cotangent = cotangent}));
  });
}

void memory(Abuse& abuse) {
  abuse("limit_cached_memory release_cached_memory memory_statistics", [](std::size_t of_thread, std::size_t shared) {
    limit_cached_memory({.thread = of_thread, .shared = shared});
    seen(zeros({100}) + 1.0, memory_statistics().cached_bytes);
    release_cached_memory();
    limit_cached_memory({});
  });
  abuse("allocate deallocate CachedAllocator", [](std::size_t count) {
    try {
      CachedAllocator<double> allocator;
      allocator.deallocate(allocator.allocate(count), count);
      deallocate(allocate(count), count);
    } catch (const std::bad_alloc&) {  // as allocators of the standard library say it
    }
  });
}

}  // namespace

TEST_CASE("abusive calls of autograd end in an error that names the function, or in a well-formed result") {
  Abuse abuse;
  for (const auto rows :
       {elementwise, layout, reductions_and_products, makers, tensors, lists, tapes, gradients, functions, memory})
    rows(abuse);
  check(abuse,
        declarations::public_functions(XGRAD_SOURCE_DIR,
                                       {"autograd/autograd.hpp", "autograd/pointwise.hpp", "autograd/xtensor.hpp"}),
        {{"it is for the engine and kernels, whose callers have checked",
          "AdoptedArray Tensor::adopt Tensor::alias Tensor::begin_write Tensor::body Tensor::body_or_null "
          "Tensor::fresh_data Tensor::from_body Tensor::from_reference Tensor::release_reference Tensor::unique "
          "Tensor::untyped_data Tensor::untyped_fresh_data TensorIndex NonFiniteTrace LocalScope open_scope "
          "close_scope end_scope release_scope drop_ended_scopes watch_thread_end RecordingScope Storage Node "
          "run_operation sum_back scatter_rows operands_of Formula"},
         {"users write it and the engine calls it", "Operation TapeObserver CustomOperation Described"},
         {"it copies or compares, whatever the values",
          "CachedAllocator::operator== CachedAllocator::allocate CachedAllocator::deallocate Extents::operator= "
          "Extents::operator== Tensor::operator= thread_count"},
         {"it throws, or is what is thrown",
          "throw_axis throw_number throw_position throw_undefined Extents::throw_position Error MemoryError"}});
}

TEST_CASE("the table of abusive calls finds a foreign exception, a silent fault and an error without a name") {
  const auto findings = [](auto f) {
    Abuse abuse;
    abuse("nobody", f);
    return abuse.findings.size();
  };
  CHECK(findings([](const std::vector<Int>& list) { seen(list.at(0)); }) == 1);
  CHECK(findings([](Int n) { return n == 0 ? Tensor() : tensor(1.0); }) == 1);
  CHECK(findings([](const Shape& shape) { return zeros(shape); }) == 3);  // the first of each row are told
  CHECK(findings([](bool right) { right ? void() : throw ValueError("nobody: wrong"); }) == 1);  // the good argument
}

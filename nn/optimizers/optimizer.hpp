#pragma once

#include <autograd/tape/gradients.hpp>
#include <autograd/tensor/tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xgrad::nn {

/// Parameters with settings of their own. No decay for biases, and a tenth of the rate for the first layer:
///
///     std::vector<Tensor> weights, biases;
///     for (const Tensor& p : net.parameters()) (p.rank() > 1 ? weights : biases).push_back(p);
///     nn::AdamW a({{.parameters = weights}, {.parameters = biases, .weight_decay = 0.0}});
///     nn::SGD b({{.parameters = net.first.parameters(), .rate_factor = 0.1},
///                {.parameters = net.second.parameters()}});
struct Group {
  std::vector<Tensor> parameters = {};
  double rate_factor = 1.0;                 ///< times the optimizer's learning rate, whatever a schedule makes of it
  std::optional<double> weight_decay = {};  ///< instead of the optimizer's
};

/// What an optimizer knows besides the parameters: what must be saved with them to go on later, bit by bit.
struct OptimizerState {
  std::int64_t steps = 0;
  double learning_rate = 0;
  std::vector<std::int64_t> updates;  ///< of each parameter, in order
  /// For each kind of moment one tensor a parameter, empty handles before its first update. SGD: velocities; Adam:
  /// first moments, then second ones.
  std::vector<std::vector<Tensor>> moments;
};

/// Moves parameters, in place, along their gradients. Derive, and write `update` with the tensors that it keeps in
/// `moment(kind, i)`.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step. Parameters that are absent from the gradients are left alone, with their moments; so are, in SGD, Adam
  /// and AdamW, rows that are absent from a gradient of rows, that of a table of which only rows were looked up:
  /// neither momentum nor decay moves them (the lazy rule). For plain SGD that gives the bits of the dense gradient,
  /// which `gradients.set(table, gradients[table].clone())` puts in place of the rows. Everything is checked before
  /// anything is written: TypeError for a parameter whose dtype changed since the optimizer was made, ValueError when
  /// at the first step no parameter has a gradient: then it was made for another model.
  void step(const Gradients& gradients);

  /// Those of all groups, in order.
  const std::vector<Tensor>& parameters() const& { return parameters_; }
  std::vector<Tensor> parameters() const&& { return parameters_; }
  /// The rate of groups with the factor 1.
  double learning_rate() const { return learning_rate_; }
  /// For a schedule to call before each step. ValueError unless finite and not negative.
  void learning_rate(double rate);
  /// Calls of `step`.
  std::int64_t steps() const { return steps_; }

  /// A copy.
  OptimizerState state() const;
  /// Copies of what stands there take the place of the present state. ShapeError, TypeError or ValueError for what does
  /// not fit the parameters; then nothing changes.
  void state(const OptimizerState& values);

 protected:
  /// A parameter that is to move, by its number.
  struct Change {
    std::size_t parameter;
    const Tensor* gradient;        ///< of the parameter, or (k, ...) of k rows of it
    const Tensor* rows = nullptr;  ///< their numbers (k,), if takes_rows; none for a dense gradient
  };
  struct Rate {
    double learning_rate;
    double weight_decay;
  };

  /// name and kinds, of the tensors that are kept for each parameter, are for messages, literals.
  /// ValueError for no parameters, one that is listed twice, negative or non-finite numbers; TypeError for int64.
  Optimizer(const char* name, std::vector<Group> groups, double learning_rate, double weight_decay,
            std::initializer_list<const char*> kinds);
  Optimizer(Optimizer&&) = default;
  Optimizer& operator=(Optimizer&&) = default;

  /// Moves the parameters of the changes, whose gradients fit.
  virtual void update(std::span<const Change> changes) = 0;
  /// Whether update knows gradients of rows (Gradients::rows). Others see dense ones only.
  virtual bool takes_rows() const { return false; }

  static std::vector<Group> one_group(std::vector<Tensor> parameters) {
    return {{.parameters = std::move(parameters)}};
  }
  Tensor& parameter(std::size_t i) { return parameters_[i]; }
  std::size_t group_of(std::size_t i) const { return group_of_[i]; }
  std::size_t group_count() const { return groups_.size(); }
  /// The present ones of a group.
  Rate rate(std::size_t group) const {
    return {groups_[group].rate_factor * learning_rate_, groups_[group].weight_decay};
  }
  /// Writes them into the rules of the groups, which have members of these names.
  template <class Rule>
  void set_rates(std::vector<Rule>& rules) const {
    for (std::size_t group = 0; group < rules.size(); ++group) {
      rules[group].learning_rate = rate(group).learning_rate;
      rules[group].weight_decay = rate(group).weight_decay;
    }
  }
  /// Updates of parameter i, the present one included.
  std::int64_t update_number(std::size_t i) const { return updates_[i] + 1; }
  /// What is kept of a kind for parameter i; an empty handle at first.
  Tensor& moment(std::size_t kind, std::size_t i) { return moments_[kind][i]; }
  /// ValueError that names the option, unless the value is finite and not negative.
  void check_not_negative(const char* option, double value) const;

 private:
  struct Settings {
    double rate_factor;
    double weight_decay;
  };
  void check_like(std::size_t i, const char* what, const Tensor& x) const;
  std::string describe(std::size_t i) const;

  const char* name_;
  std::vector<Tensor> parameters_;
  std::vector<DType> dtypes_;
  std::vector<std::size_t> group_of_;
  std::vector<Settings> groups_;
  double learning_rate_;
  std::int64_t steps_ = 0;
  std::vector<std::int64_t> updates_;
  std::vector<const char*> kinds_;
  std::vector<std::vector<Tensor>> moments_;
  std::vector<Change> changes_;
};

}  // namespace xgrad::nn

#pragma once

#include <autograd/ops/random.hpp>
#include <nn/files/safetensors.hpp>
#include <nn/layers/layer_stream.hpp>
#include <nn/layers/module.hpp>
#include <nn/optimizers/optimizer.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace xgrad::nn {

// What checkpoints of fit and of loops of one's own have in common: pieces of their JSON, and the tensors beside it.
// Functions that read throw nlohmann's exceptions for JSON of another form.

nlohmann::json to_json(const Generator::State& state);
Generator::State generator_of(const nlohmann::json& json);

/// By path.
nlohmann::json to_json(const std::vector<NamedStream>& streams);
std::map<std::string, LayerStream::State> streams_of(const nlohmann::json& json);

/// Without the moments, which are tensors `<name>.<kind>.<number>` beside it.
nlohmann::json to_json(const OptimizerState& state);
void add_moments(std::vector<NamedTensor>& list, const std::string& name, const OptimizerState& state);
OptimizerState optimizer_of(const nlohmann::json& json, const TensorFile& file, const std::string& name,
                            const OptimizerState& like);

/// Calls `refuse`, which throws, unless the file has each of these tensors with its shape and dtype.
void require_tensors(const TensorFile& file, const std::vector<NamedTensor>& present,
                     const std::function<void(const std::string&)>& refuse);

}  // namespace xgrad::nn

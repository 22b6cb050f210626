#pragma once

#include <autograd/tape/gradients.hpp>
#include <nn/training/model.hpp>

#include <string>
#include <vector>

namespace xgrad::nn {

// A member that was not added, `nn::Linear b{3, 2};`, runs and is not trained. Its tensors require gradients, so that a
// backward finds them.

/// The leaves of the gradients that are neither parameters of the model nor among `others`, in words, with what to
/// write: "" if there are none, or the model is no Module.
std::string unregistered(const AnyModel& model, const Gradients& gradients, const std::vector<Tensor>& others = {});
/// ValueError with these words for the leaves that the tape of this thread has met.
void require_registered_leaves(const char* operation, const AnyModel& model, TensorList inputs, TensorList targets);
/// Whether a tape records on this thread; its leaves may be somebody else's.
bool is_recording();
/// ValueError with these words for one call of model and loss, which leaves layers as they were. What model and loss
/// throw is left to whoever calls them next.
void require_registered(const char* operation, const AnyModel& model, TensorList inputs, TensorList targets);

}  // namespace xgrad::nn

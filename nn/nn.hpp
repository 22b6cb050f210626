#pragma once

#include <nn/activations.hpp>
#include <nn/batch_gradients.hpp>
#include <nn/batches.hpp>
#include <nn/data.hpp>
#include <nn/datasets.hpp>
#include <nn/digest.hpp>
#include <nn/dropout.hpp>
#include <nn/gradient_check.hpp>
#include <nn/idx.hpp>
#include <nn/init.hpp>
#include <nn/linear.hpp>
#include <nn/losses.hpp>
#include <nn/metrics.hpp>
#include <nn/module.hpp>
#include <nn/optimizers.hpp>
#include <nn/sequential.hpp>

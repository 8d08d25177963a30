#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "data/batches/batch_loader.h"
#include "distributed/communicator.h"
#include "trainer/model/decoder_model.h"

namespace entune::test {

/// What training a tiny random model on random samples gave, for comparing layouts of ranks.
struct TrainingTrace {
  std::vector<double> losses;  ///< per step
  std::vector<double> gradient_norms;
  std::map<std::string, at::Tensor> gradients;      ///< whole gradients of the first step, by parameter name
  std::map<std::string, at::Tensor> first_updates;  ///< what the first step added to each parameter of this rank
  bool split_prefix = false;                        ///< whether a micro-batch held a part of the prefix
  std::int64_t parameter_bytes = 0;                 ///< held by this rank
  std::int64_t replicated_bytes = 0;                ///< of these, what every rank of the tensor axis holds
};

struct LayoutCase {
  int data = 1;
  int tensor = 1;
  bool full = false;  ///< full fine-tuning instead of LoRA
  bool prefix_sharing = true;
  ActivationCheckpointing checkpointing = ActivationCheckpointing::none;
  bool sequence = false;  ///< the residual stream cut by rows over the tensor axis
};

/// Samples of random tokens behind one prompt, always the same.
std::vector<TrainingSample> random_samples(int count, std::int64_t vocab_size);

/// Sums the gradients that are partial over the tensor axis, as a step does before the update.
void reduce_partial_gradients(DecoderModel& model, Communicator& tensor_axis);

/// The parameter's gradient over all ranks of the tensor axis, float32, without padding. Collective.
at::Tensor whole_gradient(const Parameter& parameter, Communicator& tensor_axis);

/// Four steps on `world`, whose size is data * tensor. Same model, samples and order whatever the layout.
TrainingTrace train_tiny_model(Communicator& world, const LayoutCase& layout);

/// Losses, norms and every gradient agree to 1e-5 of their size; empty if so, else what differs.
std::string difference(const TrainingTrace& expected, const TrainingTrace& actual);

}  // namespace entune::test

#pragma once

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "trainer/model/decoder_model.h"

namespace entune {

/// The trained parameters at the best evaluation so far, kept in memory (adapters are small; in full fine-tuning it is
/// a second copy of the weights that this rank holds).
class BestWeights {
 public:
  explicit BestWeights(DecoderModel& model) : parameters_(model.trainable_parameters()) {}

  /// Higher is better; of equal scores the lower loss. Keeps the weights if these beat every one before; true then.
  bool offer(double score, double loss);
  /// Puts the best weights back; nothing happens if none was ever offered.
  void restore();

  /// The best so far, by trained parameter; empty if none was ever offered.
  const std::vector<at::Tensor>& kept() const { return kept_; }
  /// Its score, and minus its loss.
  std::pair<double, double> standing() const { return best_; }
  /// Goes on from the best of an earlier run.
  void resume(std::vector<at::Tensor> kept, std::pair<double, double> standing);

 private:
  std::vector<at::Tensor> parameters_, kept_;
  std::pair<double, double> best_;  // score, -loss
};

}  // namespace entune

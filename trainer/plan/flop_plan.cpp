#include "trainer/plan/flop_plan.h"

#include <fmt/format.h>

#include "trainer/kernels/packed_segments.h"

namespace entune {
namespace {

bool is_for_all_rows(const std::string& name) {
  return name.ends_with(".q_proj.weight") || name.ends_with(".k_proj.weight") || name.ends_with(".v_proj.weight");
}

}  // namespace

MatmulWeights matmul_weights(DecoderModel& model) {
  const LlamaConfig& config = model.config();
  const std::string last_block = fmt::format("model.layers.{}.", config.num_layers - 1);
  MatmulWeights weights;
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.is_adapter || parameter.full_shape.size() != 2) continue;
    const bool is_embedding = parameter.name == "model.embed_tokens.weight";
    if (is_embedding && !config.tie_word_embeddings) continue;
    const bool is_block = parameter.name.starts_with("model.layers.");
    const bool for_loss_alone =
        !is_block || (parameter.name.starts_with(last_block) && !is_for_all_rows(parameter.name));
    (for_loss_alone ? weights.loss_rows : weights.all_rows) += parameter.full_shape[0] * parameter.full_shape[1];
  }
  return weights;
}

double attention_flops(const PackedBatch& batch, const LlamaConfig& config) {
  PackedLayout layout{batch.prefix_tokens, batch.leaf_offsets, std::nullopt};
  if (batch.prefix_part) {
    layout.prefix_begin = batch.prefix_part->begin;
    layout.prefix_rows = batch.prefix_part->rows;
  }
  double pairs = 0.0;
  for (const Segment& s : segments_of(layout)) pairs += 0.5 * static_cast<double>(s.length * (s.length + 1));
  for (const PrefixReaders& r : prefix_readers(layout)) pairs += static_cast<double>(r.length * r.seen);
  return 4.0 * pairs * static_cast<double>(config.num_heads * config.head_dim * config.num_layers);
}

}  // namespace entune

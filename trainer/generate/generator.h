#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/tokens/chat_encoder.h"
#include "trainer/model/decoder_model.h"

namespace entune {

struct GenerationOptions {
  /// Tokens an answer may have; 0 (auto): as many as the longest target's tokens per token of text allow, see auto_max_new_tokens.
  std::int64_t max_new_tokens = 0;
  std::int64_t batch_tokens = 8192;        ///< cached tokens of a batch at most (prefix once, plus leaves with room for their answers)
};

struct GeneratedAnswer {
  std::vector<TokenId> ids;                ///< without the stop token
  bool hit_max_tokens = false;
};

struct GenerationRequest {
  std::vector<TokenId> ids;                ///< the conversation up to the answer
  std::int64_t max_new_tokens = 0;         ///< of this one
};

struct GenerationStats {
  std::int64_t prompt_tokens = 0;          ///< computed (a shared prefix once a batch)
  std::int64_t generated_tokens = 0;
  std::int64_t forward_passes = 0;
};

/// Greedy decoding in batches of one shared prefix. Answers come in the order of the requests. All ranks of the tensor axis call it with the same
/// requests. Ties go to the lower id. `progress` (may be empty) is called with the number of finished answers.
class Generator {
 public:
  Generator(DecoderModel& model, std::vector<TokenId> stop_ids, GenerationOptions options);

  std::vector<GeneratedAnswer> generate(const std::vector<GenerationRequest>& requests, const std::function<void(std::int64_t)>& progress = {});
  const GenerationStats& stats() const { return stats_; }

 private:
  DecoderModel& model_;
  std::vector<TokenId> stop_ids_;
  GenerationOptions options_;
  GenerationStats stats_;
};

}  // namespace entune

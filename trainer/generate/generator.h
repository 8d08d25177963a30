#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/tokens/chat_encoder.h"
#include "trainer/model/decoder_model.h"

namespace entune {

struct GenerationOptions {
  /// Tokens an answer may have; 0 (auto): as many as the text makes plausible. What it comes to for one text stands in its request
  /// (trainer/evaluate), which is what the Generator goes by.
  std::int64_t max_new_tokens = 0;
  /// Cached tokens of a batch at most: the prefix once, and for every leaf as much room as the longest one and the longest answer need. A request that
  /// needs more stands alone.
  std::int64_t batch_tokens = 8192;
};

struct GeneratedAnswer {
  std::vector<TokenId> ids;                ///< without the stop token
  bool hit_max_tokens = false;
};

struct GenerationRequest {
  std::vector<TokenId> ids;                ///< the conversation up to the answer
  std::int64_t max_new_tokens = 0;         ///< of this one, at least 1
};

struct GenerationStats {
  std::int64_t prompt_tokens = 0;          ///< computed (a shared prefix once a batch)
  std::int64_t generated_tokens = 0;       ///< stop tokens included
  std::int64_t forward_passes = 0;
};

/// Which requests are decoded together: the longest first, as many as `batch_tokens` allows. Depends on the requests alone.
struct GenerationBatch {
  std::vector<std::size_t> requests;
  std::int64_t prefix_tokens = 0;          ///< that all of them share; each keeps at least one token of its own
  std::int64_t leaf_tokens = 0;            ///< of the longest one, behind the prefix
  std::int64_t max_new_tokens = 0;         ///< of the longest answer

  /// Tokens that the cache must hold: the last token of an answer is never cached.
  std::int64_t cached_tokens() const {
    return prefix_tokens + static_cast<std::int64_t>(requests.size()) * (leaf_tokens + max_new_tokens - 1);
  }
};
std::vector<GenerationBatch> plan_generation(const std::vector<GenerationRequest>& requests, std::int64_t batch_tokens);

/// Greedy decoding in batches of one shared prefix. Answers come in the order of the requests. All ranks of the tensor axis call it with the same
/// requests. Ties go to the lower id. `progress` (may be empty) is called with the number of finished answers.
class Generator {
 public:
  Generator(DecoderModel& model, std::vector<TokenId> stop_ids, GenerationOptions options);

  std::vector<GeneratedAnswer> generate(const std::vector<GenerationRequest>& requests, const std::function<void(std::int64_t)>& progress = {});
  const GenerationStats& stats() const { return stats_; }

 private:
  void run_batch(const std::vector<GenerationRequest>& requests, const GenerationBatch& batch, std::vector<GeneratedAnswer>& answers,
                 const std::function<void()>& finished);

  DecoderModel& model_;
  std::vector<TokenId> stop_ids_;
  GenerationOptions options_;
  GenerationStats stats_;
};

}  // namespace entune

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/constraints/answer_guide.h"
#include "data/tokens/chat_encoder.h"
#include "trainer/model/decoder_model.h"

namespace entune {

struct GenerationOptions {
  /// Tokens an answer may have; 0 (auto): as many as the text makes plausible. What it comes to for one text stands in
  /// its request (trainer/evaluate), which is what the Generator goes by.
  std::int64_t max_new_tokens = 0;
  /// Cached tokens of a batch at most: the prefix once, and for every leaf as much room as the longest one and the
  /// longest answer need. A request that needs more stands alone.
  std::int64_t batch_tokens = 8192;
  bool constrain = false;  ///< answers well formed in the task's format alone (AnswerGuide)
  bool draft = false;      ///< the text's next words are proposed, and verified several at a time
};

struct GeneratedAnswer {
  std::vector<TokenId> ids;  ///< without the stop token
  bool hit_max_tokens = false;
};

struct GenerationRequest {
  std::vector<TokenId> ids;                   ///< the conversation up to the answer
  std::int64_t max_new_tokens = 0;            ///< of this one, at least 1, and with a constraint its smallest_limit()
  std::shared_ptr<AnswerGuide> constraint{};  ///< what may be answered, or null: anything. Of all requests or of none
  /// How the answer that begins with `written` may go on, in at most `most` tokens, or empty: nothing is proposed. What
  /// is proposed changes the number of passes and no answer.
  std::function<std::vector<TokenId>(std::span<const TokenId> written, std::size_t most)> draft{};
};

struct GenerationStats {
  std::int64_t prompt_tokens = 0;     ///< computed (a shared prefix once a batch)
  std::int64_t generated_tokens = 0;  ///< stop tokens included
  std::int64_t forward_passes = 0;
  std::int64_t answer_passes = 0;    ///< summed over answers: the passes in which each was written
  std::int64_t drafted_tokens = 0;   ///< proposed
  std::int64_t accepted_tokens = 0;  ///< of these, those that the model writes too

  GenerationStats& operator+=(const GenerationStats& other);
  /// The numbers in order, to be summed over ranks, and back.
  std::vector<std::int64_t> counts() const;
  static GenerationStats of_counts(std::span<const std::int64_t> counts);
};

/// Which requests are decoded together: the longest first, as many as `batch_tokens` allows. Depends on the requests
/// alone.
struct GenerationBatch {
  std::vector<std::size_t> requests;
  std::int64_t prefix_tokens = 0;   ///< that all of them share; each keeps at least one token of its own
  std::int64_t leaf_tokens = 0;     ///< of the longest one, behind the prefix
  std::int64_t max_new_tokens = 0;  ///< of the longest answer

  /// Tokens that the cache must hold: the last token of an answer is never cached.
  std::int64_t cached_tokens() const {
    return prefix_tokens + static_cast<std::int64_t>(requests.size()) * (leaf_tokens + max_new_tokens - 1);
  }
};
std::vector<GenerationBatch> plan_generation(const std::vector<GenerationRequest>& requests, std::int64_t batch_tokens);

/// Greedy decoding in batches of one shared prefix: each token is the likeliest that the request's constraint allows.
/// Drafts are verified by one pass over all their tokens, and what the model would not have written is taken back.
/// Answers come in the order of the requests. All ranks of the tensor axis call it with the same requests. Ties go to
/// the lower id. `progress` (may be empty) is called with the number of finished answers.
class Generator {
 public:
  Generator(DecoderModel& model, std::vector<TokenId> stop_ids, GenerationOptions options);

  std::vector<GeneratedAnswer> generate(const std::vector<GenerationRequest>& requests,
                                        const std::function<void(std::int64_t)>& progress = {});
  const GenerationStats& stats() const { return stats_; }

 private:
  void run_batch(const std::vector<GenerationRequest>& requests, const GenerationBatch& batch,
                 std::vector<GeneratedAnswer>& answers, const std::function<void()>& finished);
  struct Leaf;
  void read_logits(const at::Tensor& logits, const std::vector<GenerationRequest>& requests, std::vector<Leaf>& leaves);
  void accept(const GenerationRequest& request, Leaf& leaf, std::span<const TokenId> chosen);
  void propose(const GenerationRequest& request, Leaf& leaf, std::size_t most) const;
  std::vector<TokenId> candidates(const GenerationRequest& request, const GrammarPoints& points,
                                  std::size_t num_written) const;
  bool is_stop(TokenId id) const;

  DecoderModel& model_;
  std::vector<TokenId> stop_ids_;
  GenerationOptions options_;
  GenerationStats stats_;
};

}  // namespace entune

#pragma once

#include <memory>
#include <span>
#include <vector>

#include "data/constraints/answer_guide.h"

namespace entune {

/// Proposes how an answer goes on: AnswerGuide::likely_tokens behind what has been written so far.
class TextDraft {
 public:
  TextDraft(std::shared_ptr<const AnswerGuide> guide, TokenId stop)
      : guide_(std::move(guide)), stop_(stop), points_(guide_->start()) {}

  /// At most `most` tokens. `written` is what it was in the call before and more, or, where it is no longer than that,
  /// a new answer.
  std::vector<TokenId> operator()(std::span<const TokenId> written, std::size_t most) {
    if (written.size() <= num_seen_) {
      points_ = guide_->start();
      num_seen_ = 0;
    }
    for (; num_seen_ < written.size(); ++num_seen_) points_ = guide_->after(points_, written[num_seen_]);
    if (points_.empty()) points_ = guide_->resumed(written);
    return guide_->likely_tokens(points_, written, most, stop_);
  }

 private:
  std::shared_ptr<const AnswerGuide> guide_;
  TokenId stop_;
  GrammarPoints points_;
  std::size_t num_seen_ = 0;
};

}  // namespace entune

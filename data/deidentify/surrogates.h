#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "data/deidentify/policy.h"
#include "data/entity.h"

namespace entune {

/// Made-up values for one document's real ones. A value's surrogate follows from the key, the label's kind, the value
/// (without white space at its ends, ASCII letters in one case; of codes without ASCII separators) and, where the scope
/// is the document, the document's id: no file of pairs is needed, and none is kept.
///
/// Collisions: a surrogate that holds its own value, a name's or place's own word, or that is a real value of the
/// document, is drawn again, up to 64 times. Where the scope is the document, so is one that stands for another value
/// already. Where it is the data set, two values may share a surrogate (a few thousand names stand for all names), and
/// a value has another one in the rare document that holds its surrogate as a real value.
class DocumentSurrogates {
 public:
  /// `key`: 32 bytes of surrogates alone. `values`: the document's real ones, of all labels.
  DocumentSurrogates(std::string key, PseudonymScope scope, const std::string& document_id,
                     const std::vector<std::string_view>& values);

  /// nullopt if no surrogate can be made: a value without letters and digits, or no free one found.
  std::optional<std::string> of(const std::string& label, std::string_view value);

  /// How many values got another surrogate than their first.
  std::int64_t num_drawn_again() const { return num_drawn_again_; }

 private:
  std::string key_;
  std::string document_;  // id, or empty: the data set
  PseudonymScope scope_;
  std::set<std::string> real_;                                     // folded
  std::map<std::pair<std::string, std::string>, int> accepted_;    // kind and folded value: which draw, -1: none
  std::map<std::pair<std::string, std::string>, std::string> of_;  // kind and folded surrogate: the folded value
  std::int64_t num_drawn_again_ = 0;
};

/// Without white space at the ends, ASCII letters small: values that agree in this are one.
std::string folded_value(std::string_view value);

}  // namespace entune

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/entity.h"

namespace entune {

struct Pattern;

/// The baseline that needs no model: regular expressions for labels with a typed surface (mail, telephone, dates,
/// numbers), with check digits where there are any, and key words before numbers that look like any other. Names are
/// found only behind a title. Labels are known by the usual names of data sets (EMAIL_ADDRESS, EMAIL, US_SSN,
/// IBAN_CODE, ...); a label it has no pattern for is never predicted.
class PatternRecognizer {
 public:
  explicit PatternRecognizer(const LabelList& labels);

  /// Entities of `text` (UTF-8, else InputError), sorted and apart: of overlapping matches the longest stays, of
  /// equally long ones the first, then the one of the stricter pattern.
  std::vector<Entity> find(std::string_view text) const;

  /// The labels that have a pattern, in the order of the list.
  std::vector<std::string> covered_labels() const;

 private:
  std::vector<std::pair<const Pattern*, std::string>> patterns_;  // with the label each stands for
  std::vector<std::string> covered_;
};

}  // namespace entune

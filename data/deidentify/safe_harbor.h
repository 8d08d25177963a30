#pragma once

#include <array>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"

namespace entune {

/// How far a label list reaches one of the 18 classes of identifiers that HIPAA's Safe Harbor method removes
/// (45 CFR 164.514(b)(2)(i)(A) to (R)).
enum class Coverage {
  covered,  ///< labels for every part of the class
  partly,   ///< labels for some of it; the note says what is missing
  none,     ///< no label
  no_text,  ///< nothing that a text can show (fingerprints, photographs)
};
std::string_view name_of(Coverage coverage);  ///< covered, partly, not, "not: no text"

struct ClassCoverage {
  char letter = 'A';  ///< (A) to (R)
  std::string_view name;
  Coverage coverage = Coverage::none;
  std::vector<std::string> labels;  ///< of the list, in its order
  std::string note;                 ///< what is missing, and what the labels hold besides; one line, or ""
};

/// The classes against a label list. It says which labels there are, not how well they are found.
struct SafeHarborCoverage {
  std::array<ClassCoverage, 18> classes;
  std::vector<std::string> without_class;  ///< labels that belong to none
};

/// A label's classes as the user says; it covers each of them wholly, but for (R), which has no end.
using AssignedClasses = std::map<std::string, std::string>;  // label -> letters

/// Labels are known by their names alone (those of this repository, of Presidio and other common ones; case and the
/// kind of separator do not matter), never by their descriptions; `assigned` goes before the name. Throws InputError
/// for an assigned label that the list lacks, for a letter that is no class and for a class without text.
SafeHarborCoverage safe_harbor_coverage(const LabelList& labels, const AssignedClasses& assigned = {});

/// What a table of this must be followed by.
inline constexpr std::string_view kNoCompliance =
    "This compares names of labels with the rule's classes. It is no statement that anything complies with HIPAA.";

/// {"classes": [{"class", "name", "coverage", "labels", "note"}], "labels_without_class": [...], "statement"}
nlohmann::json to_json(const SafeHarborCoverage& coverage);

}  // namespace entune

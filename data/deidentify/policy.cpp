#include "data/deidentify/policy.h"

#include <algorithm>

namespace entune {

const std::vector<std::string>& operator_names() {
  static const std::vector<std::string> names = {"replace",    "redact",    "mask", "hash", "encrypt", "surrogate",
                                                 "date_shift", "year_only", "age",  "zip",  "keep"};
  return names;
}

const std::string& name_of(OperatorKind kind) { return operator_names()[static_cast<std::size_t>(kind)]; }

bool is_keyed(OperatorKind kind) {
  return kind == OperatorKind::hash || kind == OperatorKind::encrypt || kind == OperatorKind::surrogate ||
         kind == OperatorKind::date_shift;
}

bool uses(const DeidentificationPolicy& policy, OperatorKind kind) {
  return policy.fallback.kind == kind || std::any_of(policy.labels.begin(), policy.labels.end(),
                                                     [&](const auto& label) { return label.second.kind == kind; });
}

bool needs_key(const DeidentificationPolicy& policy) {
  return is_keyed(policy.fallback.kind) || std::any_of(policy.labels.begin(), policy.labels.end(),
                                                       [](const auto& label) { return is_keyed(label.second.kind); });
}

bool removes_all(const Operator& what) {
  return what.kind <= OperatorKind::surrogate && !(what.kind == OperatorKind::mask && what.count);
}

}  // namespace entune

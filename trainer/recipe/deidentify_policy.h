#pragma once

#include <filesystem>

#include "data/deidentify/policy.h"

namespace entune {

/// Reads a policy by the rules of recipes (yaml_node.h); recipes/deidentify/ holds commented ones:
///
///   scope: document               # or dataset
///   snap: words                   # or none
///   key: {file: PATH}             # or {env: NAME}; needed by hash, encrypt, surrogate and date_shift
///   default: replace              # an operator that leaves nothing of a value
///   labels:
///     PERSON: surrogate
///     PHONE_NUMBER: {operator: mask, char: "#", count: 6, from_end: true}
///
/// Throws InputError "file:line:column: ..."; a key that stands in the policy itself is refused and not shown.
DeidentificationPolicy load_policy(const std::filesystem::path& file);

}  // namespace entune

#pragma once

#include <string>
#include <string_view>

#include "data/random.h"

namespace entune {

/// A made-up value of a label, of one `kind` of it ("" for any). Check digits are right where the real thing has them;
/// telephone numbers lie in the ranges kept for fiction. Throws std::logic_error for a label or kind that does not
/// exist: templates are ours, and a test fills every one.
std::string make_value(std::string_view label, std::string_view kind, Random& random);

/// Fillers without a label: n1 .. n9 (a number of so many digits), amount, version.
std::string make_filler(std::string_view name, Random& random);

}  // namespace entune

#pragma once

#include <string>
#include <string_view>

namespace entune {

/// The report's style sheet: light and dark by the reader's setting, nothing loaded from elsewhere. Classes for charts:
/// series-0 ... series-7 (a colour for each variant; told apart in the common colour blindnesses), pale (the second bar
/// of a pair), kind-boundary, kind-type, kind-both, kind-missed, kind-spurious.
std::string_view report_style();

/// The class of the i-th variant: colours, then the same with dashed lines.
std::string series_style(std::size_t index);

}  // namespace entune
